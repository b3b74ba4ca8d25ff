# SPDX-License-Identifier: BSD-3-Clause
"""The model of tools/simulate_scaling: one rank's step and its node's link, message by message, as src/comm has them."""
GOODPUT = 0.97  # of a link's bits: headers
NONE, STEP, LATE = 0, 1, 2  # until when a bucket's sum may travel: not at all, in its step, until the next one reads its weights
MESSAGE_S = 500e-6  # WAIT_S of src/comm/comm_link.c
MESSAGE_BYTES = 4 * 15 * 1024  # LONGEST of src/comm/comm_link.c
NARROW = 1.7  # of src/comm/comm_link.c
MANY_DOMAINS = 16  # src/comm/comm_domain.c
LINE_BYTES = 64  # pieces of a vector lie on cache lines
BRIEF = 1024  # floats: src/comm/gradient/gradient.c


def first(total, part, parts):
    return total * part // parts


def blocks(at, end, leaves):
    """Whole subtrees that the share [at, end) of so many leaves is: dcnn_tree_share()."""
    stack = []
    for leaf in range(at, end):
        level, index = 0, leaf
        while True:
            if index % 2:
                if not stack or stack[-1] != (level, index - 1):
                    break
                stack.pop()
            elif index == 0 or (index + 1) << level < leaves:
                break
            level, index = level + 1, index // 2
        stack.append((level, index))
    return len(stack)


def evenness(number):
    """How often 2 divides it."""
    return (number & -number).bit_length() - 1 if number else 0


def bounds_of(grains, nodes, per_node, uneven=0.0):
    """Where the nodes' shares begin: grains_of_domain() of src/comm/comm_shares.c, which knows no `uneven`."""
    most = -(-grains // (nodes * per_node))
    most += int(most * uneven / 100)

    def cut(low, high, begin, end):
        if high - low == 1:
            return [begin]
        middle = low + (high - low) // 2
        least, last = max(begin, end - most * per_node * (high - middle)), min(end, begin + most * per_node * (middle - low))
        if end - begin >= high - low:
            least, last = max(least, begin + middle - low), min(last, end - (high - middle))
        even = begin + (end - begin) * (middle - low) // (high - low)
        at = min(range(least, last + 1), key=lambda grain: (-evenness(grain), abs(grain - even)))
        return cut(low, middle, begin, at) + cut(middle, high, at, end)

    return cut(0, nodes, 0, grains) + [grains]


def rounds_of(bounds, grains, worst=True):
    """Of each node, round by round, the first first: of its slice, what it sends or receives there and back, whichever is
    more; or what is sent, the mean over all nodes. As src/comm/gradient/route.c halves them."""
    nodes = len(bounds) - 1
    ways = [[] for _ in range(nodes)]

    def join(low, high):
        if high - low == 1:
            return
        middle, both = low + (high - low) // 2, high - low
        join(low, middle)
        join(middle, high)
        sizes = (middle - low, high - middle)
        depths = (blocks(bounds[low], bounds[middle], grains), blocks(bounds[middle], bounds[high], grains))
        for node in range(low, high):
            own = int(node >= middle)  # a node sends what of its part the other group is to have, and keeps 1 / both
            there, back = depths[own] * sizes[1 - own] / sizes[own] / both, 1 / both
            if worst:
                there, back = max(there, depths[1 - own] / both), max(back, sizes[1 - own] / sizes[own] / both)
            ways[node].append((there, back))

    join(0, nodes)
    if worst:
        return ways
    return [(sum(way[0] for all_ in ways for way in all_) / nodes, sum(way[1] for all_ in ways for way in all_) / nodes)]


def is_direct(nodes, per_node):
    """Do gradients go to all other nodes at once? dcnn_direct_fits() of src/comm/gradient/direct.c."""
    return per_node > 1 and -(-(nodes - 1) // per_node) < (nodes - 1).bit_length()


def ways_of(bounds, grains, per_node, worst=True):
    """As rounds_of(), by the way that dcnn takes."""
    nodes = len(bounds) - 1
    if not is_direct(nodes, per_node):
        return rounds_of(bounds, grains, worst)
    depths = [blocks(begin, end, grains) for begin, end in zip(bounds, bounds[1:])]
    depth, others = sum(depths) / nodes, (nodes - 1) / nodes
    if worst:  # a node gets the others' blocks of its part, and sends its own of theirs
        depth = max(max(own * others, (sum(depths) - own) / nodes) for own in depths) / others
        return [[(depth * others, others)]] * nodes
    return [(depth * others, others)]


def groups_of(nodes, per_node):
    """Rounds of a small sum, and how many groups of nodes join in one: count_levels() of src/comm/comm_sum.c."""
    most, levels, groups = max(per_node + 1, 4), 1, 2
    while most**levels < nodes:
        levels += 1
    while groups**levels < nodes:
        groups += 1
    return levels, groups


SPENT = ["compute", "waits in sums", "waits for gradients", "messages", "additions", "weights"]


def doing(what):
    """Time that passes in this method is spent on that."""

    def wrap(method):
        def call(self, *arguments):
            before, self.what = self.what, what
            done = method(self, *arguments)
            self.what = before
            return done

        return call

    return wrap


def slowest_step(plan, batch, nodes, per_node, *network):
    """(seconds of a step, Model) of the kind of node that takes longest: so many grains and messages."""
    grains = -(-batch // plan["grain"])
    bounds = bounds_of(grains, nodes, per_node, plan.get("uneven", 0))
    each = [-(-(end - begin) // per_node) for begin, end in zip(bounds, bounds[1:])]
    kinds = set(zip(each, map(tuple, ways_of(bounds, grains, per_node))))
    models = [Model(plan, batch, nodes, per_node, *network, bounds, max(each), *kind) for kind in kinds]
    return max(((model.step_s(), model) for model in models), key=lambda step: step[0])


class Model:
    """One rank, and its node's link, which carries one message after the other. The others are taken to be as far as this one,
    but for those that have more grains, which it waits for in small sums."""

    @property
    def now_s(self):
        return self.clock_s

    @now_s.setter
    def now_s(self, then_s):
        self.spent_s[self.what] += then_s - self.clock_s
        self.clock_s = then_s

    def __init__(self, plan, batch, nodes, per_node, gbit, network, overlap, bounds, most, own, rounds):
        self.clock_s, self.what, self.spent_s = 0.0, SPENT[0], dict.fromkeys(SPENT, 0.0)
        self.plan, self.nodes, self.per_node, self.overlap = plan, nodes, per_node, overlap
        self.latency_s, self.message_s, self.copy_s = (*network, 0.0)[:3]  # copy_s: of a core, a byte at either end
        self.byte_s = 8 / (gbit * 1e9 * GOODPUT)
        grains = -(-batch // plan["grain"])
        self.bounds, self.last_images, self.rounds = bounds, batch, rounds
        threads = plan["threads"]
        self.turns, self.mine, self.most_turns = -(-own // threads), own // threads, -(-most // threads)
        self.others_s = 0.0  # when those with most grains are through a stage
        self.link_s = self.clear_s = 0.0
        self.waits_s = None  # since then a message is waited for
        self.buckets = []
        self.meetings = 0
        self.shares_out = overlap == LATE and nodes >= max(MANY_DOMAINS, plan["threads"])  # src/engine/late.c
        self.grains, self.group_depths = grains, {}
        self.longest_s = min(MESSAGE_BYTES * self.byte_s * per_node, MESSAGE_S)
        sent = sum(there + back for there, back in ways_of(self.bounds, grains, per_node, worst=False))
        sends_s = sent * self.byte_s * sum(4 * stage["gradient"] for stage in plan["stages"])
        computes_s = self.turns * min(plan["grain"], batch) * sum(stage["image_s"] for stage in plan["stages"])
        self.narrow = sends_s > NARROW * computes_s
        self.pieces = -(-(nodes - 1) // per_node) if is_direct(nodes, per_node) else 1  # of what a rank sends: to a node each

    @property
    def patient_s(self):
        """Until then gradients are held back for what is waited for."""
        return self.waits_s + MESSAGE_BYTES * self.per_node * self.byte_s

    def may_send(self, bucket, bytes_):
        """dcnn_comm_link_takes() of src/comm/comm_link.c."""
        if bucket.get("wanted") or self.narrow:
            return True
        free, takes_s = self.link_s <= self.now_s, bytes_ * self.per_node * self.byte_s
        if self.waits_s is not None:
            return free and self.now_s >= self.patient_s
        return max(self.now_s, self.link_s) + takes_s / 2 <= self.clear_s or (free and self.now_s > self.clear_s + takes_s)

    @doing(SPENT[4])
    def add(self, floats):
        self.now_s += floats * self.plan["add_s"]

    @doing(SPENT[3])
    def send_on(self, bucket):
        """Puts what a round sends on the link, message by message as far as it may go, as all ranks of the node do."""
        while bucket["left"] > 0 and self.may_send(bucket, min(bucket["left"], bucket["message"])):
            bytes_ = min(bucket["left"], bucket["message"])
            self.now_s += self.message_s + bytes_ * self.copy_s
            self.link_s = max(self.now_s, self.link_s) + bytes_ * self.per_node * self.byte_s
            bucket["left"] -= bytes_
            bucket["at_s"] = self.link_s + self.latency_s

    def begin_round(self, bucket, bytes_):
        bucket["left"] = bucket["bytes"] = max(bytes_, 1)
        bucket["message"] = min(MESSAGE_BYTES, max(LINE_BYTES, -(-bucket["left"] // self.pieces)))
        self.send_on(bucket)

    @doing(SPENT[3])
    def advance(self, bucket, briefly=False):
        """As far as it goes now: dcnn_comm_progress(); but adds a little at most: dcnn_comm_move_on()."""
        slice_ = bucket["floats"] / self.per_node
        if bucket["state"] == "published" and (self.per_node == 1 or bucket["met"] < self.meetings):
            bucket.update(state="adding", to_add=slice_ if self.per_node > 1 else 0)
        if bucket["state"] == "adding":
            floats = min(bucket["to_add"], BRIEF) if briefly else bucket["to_add"]
            self.add(floats * (self.per_node - 1))
            bucket["to_add"] -= floats
            if bucket["to_add"] > 0:
                return
            if not self.rounds:
                bucket["state"] = "done"
                return
            bucket.update(state="reducing", round=0)
            self.begin_round(bucket, 4 * slice_ * self.rounds[0][0])
        while bucket["state"] in ("reducing", "gathering"):
            self.send_on(bucket)
            if bucket["left"] > 0 or bucket["at_s"] > self.now_s:
                return
            self.now_s += -(-bucket["bytes"] // bucket["message"]) * self.message_s + bucket["bytes"] * self.copy_s  # what came
            there = self.rounds[bucket["round"]][0]
            if bucket["state"] == "reducing":
                self.add(slice_ * there)
                bucket["round"] += 1
                if bucket["round"] < len(self.rounds):
                    self.begin_round(bucket, 4 * slice_ * self.rounds[bucket["round"]][0])
                    continue
                if self.shares_out:
                    self.update(bucket["floats"] / self.per_node / self.nodes)
                bucket["state"] = "gathering"
            bucket["round"] -= 1
            if bucket["round"] < 0:
                bucket["state"] = "done"
            else:
                self.begin_round(bucket, 4 * slice_ * self.rounds[bucket["round"]][1])

    def progress(self, briefly=False):
        for bucket in reversed(self.buckets):  # the next step reads the last one's weights first
            self.advance(bucket, briefly)
        self.buckets = [bucket for bucket in self.buckets if bucket["state"] != "done"]

    def next_of(self, bucket):
        """When it may next move by itself."""
        if bucket["state"] == "adding":
            return self.now_s
        if bucket["state"] == "published":
            return float("inf")
        if bucket["left"] <= 0:
            return bucket["at_s"]
        held = self.waits_s is not None and not bucket.get("wanted") and not self.narrow
        return max(self.link_s, self.patient_s) if held else self.link_s

    def next_s(self):
        return max(self.now_s, min(map(self.next_of, self.buckets), default=float("inf")))

    def wait_until(self, then_s):
        """Meanwhile gradients move on."""
        while self.now_s < then_s:
            self.progress(briefly=True)
            if self.next_s() > then_s:
                break
            self.now_s = self.next_s()
        self.now_s = max(self.now_s, then_s)

    @doing(SPENT[2])
    def finish(self):
        self.meetings += 1
        for bucket in self.buckets:
            bucket["wanted"] = True
        self.progress()
        while self.buckets:
            self.now_s = self.next_s()
            self.progress()

    @doing(SPENT[1])
    def agree(self, sums):
        """By rounds of groups, whose messages the ranks of a node share out (src/comm/comm_sum.c); gradients keep clear, but
        for a message that each rank may have on its way, and are added meanwhile."""
        if sums == 0:
            return
        self.meetings += 1
        self.waits_s = self.now_s
        self.wait_until(self.others_s)
        levels, groups = groups_of(self.nodes, self.per_node)
        width = 1
        for _ in range(levels if self.nodes > 1 else 0):
            messages = -(-(groups - 1) // self.per_node)
            bytes_ = (groups - 1) * 8 * (1 + sums * self.depth_of(width))
            self.now_s += messages * self.message_s
            busy_s = max(0.0, self.link_s - self.now_s)
            there_s = self.now_s + (busy_s if self.narrow else min(busy_s, self.longest_s)) + bytes_ * self.byte_s + self.latency_s
            self.link_s = self.now_s + busy_s + bytes_ * self.byte_s
            self.wait_until(there_s)
            self.now_s += messages * self.message_s
            width *= groups
        self.waits_s = None

    def depth_of(self, width):
        """The most blocks that so many neighbouring nodes have together."""
        if width not in self.group_depths:
            nodes, bounds = self.nodes, self.bounds
            self.group_depths[width] = max(
                blocks(bounds[node], bounds[min(node + width, nodes)], self.grains) for node in range(0, nodes, width)
            )
        return self.group_depths[width]

    @doing(SPENT[2])
    def catch_up(self, number):
        """Before a stage: the weights that it is the first to read, made of the sums of the step before."""
        wanted = [bucket for bucket in self.waits if bucket["reader"] <= number]
        for bucket in wanted:
            bucket["wanted"] = True
        self.waits_s = self.now_s
        self.progress()
        while any(bucket["state"] != "done" for bucket in wanted):
            self.now_s = self.next_s()
            self.progress()
        self.waits_s = None
        self.waits = [bucket for bucket in self.waits if bucket["reader"] > number]
        self.make_weights(sum(bucket["floats"] for bucket in wanted))

    @doing(SPENT[5])
    def update(self, floats):
        self.now_s += self.plan["adam_s"] * floats / sum(stage["gradient"] for stage in self.plan["stages"])

    @doing(SPENT[5])
    def make_weights(self, floats):
        plan, workers = self.plan, self.plan["threads"] * self.per_node
        all_ = sum(stage["gradient"] for stage in plan["stages"])
        if not self.shares_out:
            self.update(floats / workers)
        self.now_s += plan["prepare_s"] * floats / all_ / workers

    def take_step(self):
        plan, buckets = self.plan, []
        for number, stage in enumerate(plan["stages"]):
            self.catch_up(number)
            images = min(plan["grain"], self.last_images)
            self.clear_s = self.now_s + self.turns * images * stage["image_s"]
            self.others_s = self.now_s + self.most_turns * images * stage["image_s"]
            self.progress()
            for turn in range(self.turns):
                looks = plan.get("looks", 1)
                pieces = [stage["load_s"]] if stage["load_s"] > 0 else []
                for seconds in pieces + [(stage["image_s"] - stage["load_s"]) / looks] * looks:
                    self.now_s += images * seconds
                    if turn < self.mine:
                        self.progress()
                if turn:
                    self.add(stage["gradient"])
            if stage["gradient"]:
                self.add((plan["threads"] - 1) / plan["threads"] * stage["gradient"])
                floats, reader = stage["gradient"], stage["reader"]
                buckets.append({"state": "published", "met": self.meetings, "floats": floats, "reader": reader})
                self.buckets.append(buckets[-1])
                self.advance(buckets[-1])
            self.agree(stage["sums"])
            if self.overlap == NONE:
                self.finish()
        if self.overlap == LATE:
            self.meetings += 1
            self.progress()
            self.waits = buckets
            return
        self.finish()
        self.make_weights(sum(bucket["floats"] for bucket in buckets))

    def step_s(self):
        """Of the last of some steps."""
        self.waits = []
        for _ in range(4):
            began_s = self.now_s
            self.spent_s = dict.fromkeys(SPENT, 0.0)
            self.take_step()
        return self.now_s - began_s
