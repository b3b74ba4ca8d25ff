# SPDX-License-Identifier: BSD-3-Clause
"""Of an analyzer's findings (stdin), those that tools/static_known does not explain; called by tools/check_static.

static_report.py TOOL FILES WHOLE: fails if one is left, or if there are more of a known one than were known; WHOLE ('yes':
all of src/ was looked at): or if there are fewer.
"""

import os
import re
import sys

tool, files, whole = sys.argv[1:]
known = []
for line in open("tools/static_known", encoding="utf-8"):
    cells = [cell.strip() for cell in line.split(" | ")]
    if len(cells) == 5 and cells[0] == tool:
        known.append((cells[1], int(cells[2]), cells[3]))
found, explained = set(), {row: set() for row in known}
for line in sys.stdin:
    path, _, said = line.strip().partition(":")
    path = os.path.relpath(path)
    rows = [row for row in known if row[0] == path and re.search(row[2], said)]
    (explained[rows[0]] if rows else found).add(f"{path}:{said}")
for row, lines in explained.items():
    if len(lines) > row[1]:
        found |= lines
print(*sorted(found), sep="\n", end="\n" if found else "")
stale = [row for row, lines in explained.items() if whole and len(lines) < row[1]]
for path, count, pattern in stale:
    print(f"tools/static_known: of '{pattern}' in {path} {tool} finds fewer than {count}: change that line, or take it out")
print(f"check_static: {tool}: {len(found)} findings in {files} files, {sum(map(len, explained.values()))} known ones besides")
sys.exit(bool(found or stale))
