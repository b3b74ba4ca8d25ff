# SPDX-License-Identifier: BSD-3-Clause
# Images in PNG files, for people and as CSV; samples drawn in the terminal; what is generated from the tables.
small_data
dcnn train small.h5 --model net.json --epochs 2 --batch-size 16 --threads 1 --run r --no-report -q >/dev/null
base64 -d <<<iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAUElEQVR42mOoPBZfsDcsfQtDZ9zqhtBF5R0MM/PqJ6SWHY5hyN0VnLKxLXoFQ23Q/JLWadk1DL1JxQcis7YHMCSua45YWtU9h6GwaXIGyAgAlZAgae0atnEAAAAASUVORK5CYII= >grey.png
base64 -d <<<iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAvElEQVR42k3OUQaEUAAAwHfElFJKKaWUUkopPaWUkoiIiIiIiIiIiOhc+7tzggG+73/fx3GcaZr3fRMEIcvycRygLEuWZdd1jeMYx/FpmjzPK4oC9H1vGEYURU3TSJLkuu77vgzDAF3Xr+vCMEwUxX3f8zynaXpZFgAhRFF0HEfHcbIs67pO07QwDEFd14Ig2Lb9PA9FUaqqnueJIAjgeX7btjRNSZKc5zkIgqqqhmEAlmUlSdK2raIo//UfMeZhOei2heoAAAAASUVORK5CYII= >color.png
base64 -d <<<iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAAAAABawyK/AAAAD0lEQVR42mNgsKn4zwAiAA3PA2dEd2bbAAAAAElFTkSuQmCC >small.png
head -c 60 grey.png >cut.png
dcnn predict r/best.h5 grey.png color.png | sed -E 's/: [0-2] \([0-9.]+ %\), then [0-2] \([0-9.]+ %\)$/: LABEL (P), then LABEL (P)/'
cmp <(dcnn predict r/best.h5 grey.png --format csv | cut -d, -f1,3-) <(dcnn predict r/best.h5 color.png --format csv | cut -d, -f1,3-)
dcnn predict r/best.h5 grey.png small.csv --format kaggle | wc -l
try dcnn predict r/best.h5 small.png | sed -E 's/: [0-2] .*/: LABEL (P)/'
try dcnn predict r/best.h5 cut.png | sed 's/PNG: .*/PNG: REASON/; s/damaged: .*/damaged: REASON/'
try dcnn show small.h5 --index 3
try dcnn show small.h5 --index 2 --split test | tail -n 2
try dcnn show small.h5 --index 80
try dcnn show small.h5 --index 99 --split test
try dcnn show small.h5 --split holdout
try dcnn help --completion tcsh
source <(dcnn help --completion bash)
COMP_WORDS=(dcnn train --schedule co) COMP_CWORD=3 && _dcnn && echo "${COMPREPLY[@]}"
COMP_WORDS=(dcnn train --no-au) COMP_CWORD=2 && _dcnn && echo "${COMPREPLY[@]}"
COMP_WORDS=(dcnn s) COMP_CWORD=1 && _dcnn && echo "${COMPREPLY[@]}"
for command in prepare train evaluate predict report info show bench; do
    dcnn "$command" --help | grep -oE '^  (-., |    )--[^ ]+' | grep -oE '[a-z0-9][-a-z0-9]+$' | sed 's/^no-//' |
        while read -r name; do dcnn help --man "$command" | tr -d '\\' | grep -q -- "$name" || echo "$command: no $name in its page"; done
done
dcnn help --man show
