"""Stories that once went wrong, made as small as they still did: each is a kind of failure that must not come back."""

from __future__ import annotations

import pytest

from tests.support.story import Event, Story, play

KEPT: dict[str, tuple[Story, str]] = {
    "another console aborts while this one is cut off from the API server": (
        Story(
            294,
            skews_s=(0.5, 0.5),
            boot_s=15.0,
            events=(Event(53.4, "template reverted"), Event(69.4, "API server away")),
        ),
        "aborted",
    ),
    "blue is scaled up while the right to scale is gone": (
        Story(
            248,
            nodes=3,
            clients_per_node=25,
            boot_s=15.0,
            events=(
                Event(8.0, "blue scaled to 1"),
                Event(8.6, "blue scaled up"),
                Event(23.3, "no right to scale"),
                Event(32.8, "abort"),
            ),
        ),
        "aborted",
    ),
    "the operator is upgraded, and its check keeps the gate of the last node shut": (
        Story(
            288,
            approval="every-node",
            boot_s=15.0,
            events=(
                Event(33.0, "blue scaled to 1"),
                Event(43.0, "operator is another release"),
                # Its image is read every three minutes.
                Event(67.0, "hold"),
                Event(200.0, "resume"),
            ),
        ),
        "aborted",
    ),
    "two drains are frozen, and the brokers' counts fall after they have stopped": (
        Story(59, clients_per_node=36, parallel=2, skews_s=(-0.5,), events=(Event(37.8, "freeze"),)),
        "done",
    ),
    "somebody edits the object while the operator's webhook is down": (
        Story(349, events=(Event(3.0, "operator down"), Event(5.0, "rates edited"))),
        "done",
    ),
    "a broker restarts before the clients are counted for the first time": (
        Story(105, lag_s=0.05, events=(Event(0.4, "blue broker restarts"),)),
        "done",
    ),
    "all of blue dies between two counts": (
        Story(161, events=(Event(2.7, "green set removed"), Event(3.7, "blue set removed"))),
        "done",
    ),
    "a drain is frozen before EMQX has told what it began with": (
        Story(144, skews_s=(0.5,), boot_s=15.0, events=(Event(44.5, "freeze"),)),
        "done",
    ),
    "a drain of which EMQX never tells what it began with": (
        Story(2059, nodes=1, events=(Event(14.2, "a blue broker is split off"),)),
        "done",
    ),
    "an abort comes before EMQX has told what the drain began with": (
        Story(371, skews_s=(-0.5,), events=(Event(33.5, "abort"),)),
        "aborted",
    ),
    "somebody evacuates blue before the cut-over, and the clients do not come back": (
        Story(414, nodes=1, is_late=True, boot_s=15.0, events=(Event(17.2, "somebody evacuates blue"),)),
        "done",
    ),
    "a node was restarted and has no clients, and the network cuts those of the canary": (
        Story(
            490,
            nodes=3,
            clients_per_node=39,
            preset="emqtt_bench-reconnect",
            network="ebpf",
            boot_s=15.0,
            events=(Event(4.1, "blue pod deleted"),),
        ),
        "done",
    ),
    "EMQX restarts a broker while it is the canary": (
        Story(
            2059,
            nodes=1,
            clients_per_node=33,
            skews_s=(0.0, 0.5, -0.5),
            lag_s=1.0,
            events=(Event(7.2, "hold"), Event(14.2, "a blue broker is split off"), Event(33.6, "resume", 2)),
        ),
        "done",
    ),
    "a readiness probe fails on a broker that goes on, nobody drives, and others refuse clients": (
        Story(
            98,
            nodes=1,
            clients_per_node=40,
            preset="device",
            approval="every-node",
            events=(
                Event(40.5, "a rebalance runs"),
                Event(54.0, "no right to write the lease"),
                Event(57.0, "green pod unready"),
            ),
        ),
        "aborted",
    ),
    "blue is scaled away after the end, and the lease is still there": (
        Story(
            600,
            skews_s=(0.0, 0.5),
            events=(
                Event(3.4, "hold"),
                Event(52.9, "abort"),
                Event(55.8, "one write of the lease gets reset"),
                Event(65.4, "blue scaled to 0"),
            ),
        ),
        "aborted",
    ),
    "blue is scaled away while its node is drained": (
        Story(704, skews_s=(0.5,), boot_s=15.0, events=(Event(47.6, "blue scaled to 0"),)),
        "done",
    ),
    "the operator takes a node whose drain it has just begun": (
        Story(1037, clients_per_node=40, skews_s=(0.0,) * 3, boot_s=15.0, events=(Event(26.6, "valve opened", 1),)),
        "aborted",
    ),
    "somebody puts the template back when blue is gone": (
        Story(
            1099,
            skews_s=(-0.5, -0.5),
            events=(Event(16.4, "operator down", 1), Event(31.8, "template reverted")),
        ),
        "done",
    ),
    "the journal is removed, and its first write after that gets no answer": (
        Story(
            1124,
            approval="cut-over",
            parallel=2,
            boot_s=15.0,
            stop_s=10.0,
            lag_s=1.0,
            events=(Event(2.0, "one write of the cluster gets reset"), Event(6.2, "journal removed")),
        ),
        "done",
    ),
    "the operator is down, and somebody has opened the valve": (
        Story(
            7442,
            lag_s=0.05,
            events=(
                Event(5.1, "no right to write the lease"),
                Event(22.1, "valve opened"),
                Event(32.6, "operator down"),
            ),
        ),
        "aborted",
    ),
    "a node that is being drained is split off while a rebalance runs": (
        Story(7223, boot_s=15.0, events=(Event(51.3, "a rebalance runs"), Event(68.1, "a blue broker is split off"))),
        "aborted",
    ),
    "one broker hangs, and another is split off": (
        Story(2128, events=(Event(36.9, "a green broker hangs"), Event(39.1, "a blue broker is split off"))),
        "done",
    ),
    "the Service lists blue again, and the right to mend that is gone": (
        Story(12, events=(Event(33.0, "no right to write Endpoints"), Event(34.0, "Endpoints of all pods"))),
        "done",
    ),
    "the template is back, and somebody asks for fewer nodes": (
        Story(
            2413,
            skews_s=(-0.5, 0.0),
            boot_s=15.0,
            lag_s=1.0,
            events=(Event(25.3, "template reverted"), Event(31.6, "replicas lowered and put back", 1)),
        ),
        "aborted",
    ),
    "an evacuation that was told long ago seems to begin again whenever its node is silent": (
        Story(
            1140,
            nodes=1,
            clients_per_node=34,
            is_late=True,
            skews_s=(0.5, -0.5),
            boot_s=15.0,
            stop_s=0.5,
            lag_s=1.0,
            events=(
                Event(28.9, "EMQX answers in part"),
                Event(40.6, "a green broker hangs for a while"),
                Event(54.7, "replicas raised and put back"),
            ),
        ),
        "done",
    ),
    "a console comes to the drain of a node that is split from the cluster": (
        Story(
            5901,
            nodes=1,
            skews_s=(0.5, 0.5),
            boot_s=15.0,
            lag_s=1.0,
            events=(
                Event(27.3, "a blue broker is split off", 1),
                Event(27.4, "operator down"),
                Event(36.9, "cut off"),
                Event(47.2, "killed", 1),
            ),
        ),
        "done",
    ),
    "a watch tells of a broker's restart when the next one has clients": (
        Story(
            7089,
            skews_s=(0.0, -0.5),
            stop_s=10.0,
            events=(
                Event(14.3, "API server away"),
                Event(19.8, "green broker restarts", 1),
                Event(67.1, "resume"),
            ),
        ),
        "done",
    ),
    "the brokers fall silent while clients are on their way": (
        Story(
            2352,
            clients_per_node=29,
            preset="emqtt_bench-reconnect",
            skews_s=(0.5,),
            boot_s=15.0,
            events=(Event(56.7, "green scaled to 1"), Event(61.2, "EMQX silent")),
        ),
        "done",
    ),
    "a console misses the drains, and sees that the release is over": (
        Story(1367, preset="emqtt_bench-reconnect", skews_s=(0.5, 0.0), events=(Event(25.8, "API server away"),)),
        "done",
    ),
    "clients are lost one by one while green is built": (
        Story(2012, nodes=12, clients_per_node=35, boot_s=1.0, events=(Event(4.7, "operator cannot reach EMQX"),)),
        "done",
    ),
    "a network resets a hundred clients a second at the end of an abort": (
        Story(7457, nodes=12, clients_per_node=34, network="ebpf", skews_s=(-0.5,), events=(Event(140.0, "abort"),)),
        "aborted",
    ),
    "the journal is removed while nobody drives, and whoever comes next goes back": (
        Story(5776, skews_s=(0.5,), stop_s=0.5, events=(Event(28.0, "killed"), Event(30.4, "journal removed"))),
        "aborted",
    ),
    "a pod is replaced while the watches are silent, and its successor tells it first": (
        Story(11337, events=(Event(8.4, "watches silent"), Event(34.5, "blue pod killed"))),
        "done",
    ),
    "the driver is killed when its drain has emptied the node": (
        Story(
            11148,
            nodes=1,
            clients_per_node=27,
            preset="emqtt_bench-reconnect",
            approval="every-node",
            is_late=True,
            boot_s=15.0,
            events=(Event(40.3, "killed"),),
        ),
        "done",
    ),
    "two consoles have counted a node when it died in its drain": (
        Story(
            11206,
            clients_per_node=39,
            churn_per_s=0.0,
            skews_s=(-0.5, -0.5),
            events=(Event(46.9, "blue pod deleted"), Event(48.8, "Endpoints removed", 1)),
        ),
        "aborted",
    ),
    "blue is scaled up while the driver's watches are silent, and a release goes back": (
        Story(
            12086,
            skews_s=(0.0, 0.5, 0.0),
            boot_s=1.0,
            lag_s=1.0,
            events=(Event(12.4, "watches silent"), Event(24.4, "blue scaled up", 1), Event(29.9, "abort", 1)),
        ),
        "aborted",
    ),
    "a node that was restarted is drained, and its pod is deleted": (
        Story(
            10789,
            nodes=6,
            clients_per_node=37,
            churn_per_s=0.0,
            is_late=True,
            skews_s=(-0.5, 0.5, 0.0),
            boot_s=1.0,
            events=(
                Event(55.7, "green broker restarts", 1),
                Event(58.3, "a green broker hangs for a while", 1),
                Event(85.2, "abort", 2),
            ),
        ),
        "aborted",
    ),
    "somebody removes blue in an abort, and the operator builds it again": (
        Story(8099, skews_s=(0.5, 0.5), boot_s=15.0, events=(Event(20.7, "abort"), Event(24.1, "blue set removed", 1))),
        "aborted",
    ),
    "of two consoles one hears late that a pod was replaced": (
        Story(
            31020,
            nodes=1,
            churn_per_s=0.0,
            skews_s=(0.0, 0.5, 0.5),
            boot_s=1.0,
            lag_s=1.0,
            events=(
                Event(24.2, "watches late by 10 s", 1),
                Event(32.8, "abort", 2),
                Event(34.5, "blue scaled up", 1),
                Event(36.7, "blue pod killed", 2),
            ),
        ),
        "aborted",
    ),
    "the journal is removed, and its first write after that loses a race": (
        Story(11675, events=(Event(25.8, "one write of the journal gets 409"), Event(26.0, "journal removed"))),
        "done",
    ),
    "a pod is replaced while the watches are silent, and a release goes back": (
        Story(12323, events=(Event(40.0, "watches silent"), Event(42.4, "blue pod deleted"), Event(60.0, "abort"))),
        "aborted",
    ),
    "a console is killed twice before it is started again": (
        Story(
            25672,
            is_late=True,
            events=(Event(16.4, "killed"), Event(25.3, "killed"), Event(28.8, "blue scaled to 0")),
        ),
        "done",
    ),
    "two drains are to be stopped while EMQX is silent": (
        Story(
            25678,
            skews_s=(0.0, 0.0),
            lag_s=1.0,
            events=(Event(40.6, "EMQX answers 401", 1), Event(56.6, "EMQX silent", 1)),
        ),
        "done",
    ),
    "EMQX starts the only node of blue anew a moment before its address is written": (
        Story(25842, nodes=1, events=(Event(21.9, "green pod killed"), Event(23.0, "a blue broker is split off"))),
        "done",
    ),
    "blue has stopped and green answers garbage while an abort goes back": (
        Story(
            33216,
            nodes=1,
            events=(
                Event(32.4, "a blue broker is split off"),
                Event(32.5, "abort"),
                Event(32.8, "cut off"),
                Event(55.0, "EMQX answers garbage"),
            ),
        ),
        "aborted",
    ),
    "green was built again before somebody asks for a third template": (
        Story(
            33195,
            skews_s=(0.0, 0.5),
            events=(
                Event(27.6, "green set removed"),
                Event(48.1, "blue set removed", 1),
                Event(50.4, "third template and back"),
            ),
        ),
        "done",
    ),
    "the journal is removed while an abort waits for blue": (
        Story(
            8099,
            boot_s=15.0,
            events=(Event(20.7, "abort"), Event(24.1, "blue set removed"), Event(24.3, "journal removed")),
        ),
        "aborted",
    ),
    "a broker of each generation is split off, and EMQX heals both": (
        Story(
            33262,
            nodes=3,
            stop_s=10.0,
            events=(
                Event(53.6, "EMQX answers in part"),
                Event(58.7, "a green broker is split off"),
                Event(67.4, "a blue broker is split off"),
            ),
        ),
        "done",
    ),
    "clients are lost after the last drain": (
        Story(98, nodes=1, events=(Event(40.5, "a rebalance runs"),)),
        "done",
    ),
    "a broker restarts between two drivers, and nobody sees who is cut off": (
        Story(25575, clients_per_node=40, events=(Event(11.8, "killed"), Event(21.0, "blue broker restarts"))),
        "done",
    ),
    "a blue broker dies that hung while somebody evacuated it": (
        Story(
            51612,
            churn_per_s=0.0,
            skews_s=(0.5, -0.5, 0.5),
            events=(Event(14.3, "somebody evacuates blue"), Event(19.5, "a blue broker hangs", 1)),
        ),
        "done",
    ),
    "the pods of a green set that was removed are up for half a second more": (
        Story(
            51735,
            nodes=4,
            clients_per_node=36,
            approval="every-node",
            parallel=4,
            skews_s=(-0.5, -0.5, 0.0),
            stop_s=0.5,
            events=(Event(53.9, "green set removed", 1),),
        ),
        "done",
    ),
    "blue is removed while nobody drives, and nobody comes back": (
        Story(53291, events=(Event(13.4, "killed"), Event(19.1, "blue set removed"))),
        "done",
    ),
    "eleven nodes are scaled away in the canary's watch, and Kubernetes says so late": (
        Story(
            60460,
            nodes=12,
            skews_s=(-0.5,),
            events=(Event(10.4, "watches late by 10 s"), Event(36.6, "blue scaled to 1")),
        ),
        "aborted",
    ),
    "a broker restarts, and its pod is killed three seconds later": (
        Story(
            101326,
            skews_s=(0.0, 0.0),
            boot_s=1.0,
            events=(Event(12.2, "blue broker restarts"), Event(15.3, "blue pod killed", 1)),
        ),
        "done",
    ),
    "a green broker hangs whose pod is not Ready": (
        Story(
            101401,
            nodes=3,
            skews_s=(-0.5,),
            stop_s=10.0,
            events=(Event(33.4, "freeze"), Event(81.6, "a green broker hangs"), Event(81.8, "green pod unready")),
        ),
        "done",
    ),
    "a drain of which EMQX never told is stopped while its broker hangs": (
        Story(
            101553,
            clients_per_node=37,
            network="ebpf",
            approval="every-node",
            boot_s=15.0,
            lag_s=0.05,
            events=(Event(58.3, "a green broker hangs for a while"), Event(69.5, "a blue broker hangs for a while")),
        ),
        "done",
    ),
    "the journal is removed behind a driver whose watches are silent": (
        Story(
            102059,
            skews_s=(0.0, 0.5, -0.5),
            events=(Event(6.6, "watches silent"), Event(36.9, "journal removed")),
        ),
        "done",
    ),
    "the template is put back before a hung operator has made green": (
        Story(82486, events=(Event(0.0, "operator hangs"), Event(28.8, "template reverted"))),
        "aborted",
    ),
    "what the operator asked for while the valve was open waits for a broker that hangs": (
        Story(60624, boot_s=15.0, events=(Event(36.2, "a green broker hangs"), Event(36.9, "valve opened"))),
        "aborted",
    ),
    "the Service is emptied before the drains, and its watch tells so late": (
        Story(80557, events=(Event(30.0, "watches late by 10 s"), Event(34.0, "Endpoints removed"))),
        "aborted",
    ),
    "somebody evacuates blue just before the canary": (
        Story(80010, events=(Event(15.1, "somebody evacuates blue"),)),
        "done",
    ),
    "somebody evacuates green as the release ends": (
        Story(25773, parallel=3, events=(Event(46.1, "somebody evacuates green"),)),
        "done",
    ),
    "a broker dies in a drain of which EMQX had not told yet": (
        Story(
            110899,
            skews_s=(0.5,),
            boot_s=15.0,
            events=(Event(46.3, "a blue broker is split off"), Event(54.3, "blue pod killed")),
        ),
        "done",
    ),
    "EMQX tells of a drain that was stopped, while the next one runs": (
        Story(
            111187,
            nodes=4,
            clients_per_node=24,
            churn_per_s=0.0,
            boot_s=1.0,
            events=(Event(45.5, "freeze"), Event(46.1, "a blue broker hangs for a while")),
        ),
        "done",
    ),
    "a broker that an abort has filled again restarts after a split": (
        Story(
            112469,
            nodes=6,
            clients_per_node=11,
            network="ebpf",
            stop_s=10.0,
            events=(
                Event(83.0, "third template and back"),
                Event(97.3, "a blue broker is split off"),
                Event(102.3, "replicas lowered and put back"),
            ),
        ),
        "aborted",
    ),
    "a third set gets clients by Endpoints that nobody may write": (
        Story(
            112582,
            skews_s=(0.0, 0.0),
            events=(
                Event(5.4, "replicas raised for good"),
                Event(5.8, "freeze", 1),
                Event(23.5, "third template and back", 1),
                Event(55.3, "no right to write Endpoints"),
                Event(55.3, "Endpoints of all pods"),
            ),
        ),
        "aborted",
    ),
    "the operator builds a third set, and a broker that is split off sends it clients": (
        Story(
            114086,
            skews_s=(-0.5,),
            stop_s=10.0,
            events=(Event(54.4, "template reverted"), Event(60.5, "a green broker is split off")),
        ),
        "done",
    ),
    "green is removed while nobody can count whom a drain brings to it": (
        Story(
            114795,
            clients_per_node=25,
            churn_per_s=0.0,
            skews_s=(0.5,),
            boot_s=15.0,
            lag_s=1.0,
            events=(Event(52.3, "EMQX answers garbage"), Event(56.2, "green set removed")),
        ),
        "done",
    ),
    "each node sees itself alone while one is drained": (
        Story(
            115022,
            clients_per_node=27,
            skews_s=(-0.5,),
            events=(Event(36.0, "EMQX nodes do not hear each other"), Event(67.1, "valve opened")),
        ),
        "done",
    ),
    "an abort builds a node again that the operator took, whose drain EMQX told of after its end": (
        Story(
            120100,
            clients_per_node=38,
            has_volumes=True,
            skews_s=(-0.5, 0.0, 0.5),
            stop_s=10.0,
            events=(Event(17.9, "valve opened", 1),),
        ),
        "aborted",
    ),
    "blue is scaled to 0 before EMQX tells of a drain that has emptied a node": (
        Story(
            120370,
            parallel=2,
            skews_s=(-0.5,),
            events=(Event(31.5, "a blue broker is split off"), Event(41.6, "blue scaled to 0")),
        ),
        "done",
    ),
    "the canary is restarted, and its clients come back slowly": (
        Story(
            120810,
            preset="emqtt_bench-reconnect",
            skews_s=(-0.5,),
            boot_s=1.0,
            events=(Event(25.2, "blue broker restarts"),),
        ),
        "done",
    ),
    "the driver is killed before it counts, and the network resets many until another comes": (
        Story(
            123386,
            network="ebpf",
            skews_s=(-0.5,),
            events=(Event(1.0, "killed"), Event(7.3, "Endpoints removed")),
        ),
        "done",
    ),
    "green is removed while the only broker of blue hangs": (
        Story(
            122577,
            nodes=1,
            skews_s=(0.5,),
            events=(Event(20.1, "a blue broker hangs"), Event(34.1, "green set removed")),
        ),
        "done",
    ),
    "a drain is started again at another rate, and is over before EMQX tells of it": (
        Story(
            124353,
            clients_per_node=24,
            approval="every-node",
            is_late=True,
            skews_s=(0.5, 0.0),
            boot_s=1.0,
            events=(
                Event(7.4, "green scaled to 1", 1),
                Event(8.1, "operator is another release", 1),
                Event(37.0, "other rates", 1),
            ),
        ),
        "done",
    ),
    "blue is removed before the first patch, and the operator builds it again": (
        Story(140019, skews_s=(0.0, 0.0), events=(Event(0.0, "blue set removed", 1),)),
        "done",
    ),
    "a drain is started again at another rate at once, and most have left before it is told": (
        Story(
            141447,
            clients_per_node=23,
            preset="device",
            skews_s=(-0.5,),
            lag_s=1.0,
            events=(Event(42.1, "other rates"),),
        ),
        "done",
    ),
    "a node tells the uptime of before its restart until it is asked again": (
        Story(
            144779,
            clients_per_node=38,
            churn_per_s=0.0,
            skews_s=(0.0, 0.0),
            boot_s=1.0,
            events=(
                Event(0.3, "blue broker restarts", 1),
                Event(42.0, "no right to write Endpoints"),
                Event(42.0, "Endpoints of all pods"),
            ),
        ),
        "done",
    ),
    "a node of blue boots while somebody begins to evacuate another": (
        Story(
            145475,
            skews_s=(-0.5, 0.5, -0.5),
            boot_s=15.0,
            lag_s=1.0,
            events=(Event(18.6, "blue pod deleted", 1), Event(33.8, "somebody evacuates blue", 1)),
        ),
        "done",
    ),
    "somebody begins to evacuate green, and a freeze stops it before the cluster tells of it": (
        Story(
            167278,
            clients_per_node=38,
            boot_s=15.0,
            lag_s=1.0,
            events=(
                Event(59.9, "hold"),
                Event(77.8, "freeze"),
                Event(84.4, "somebody evacuates green"),
                Event(90.8, "one write of the journal gets reset"),
            ),
        ),
        "done",
    ),
    "the driver dies in the finish, and its journal goes: the delay stays closed": (
        Story(167593, skews_s=(0.5,), events=(Event(47.7, "killed"), Event(51.1, "journal removed"))),
        "stands in 'idle'",
    ),
    "the driver dies when all of blue is drained, and its journal goes: a person carries the release on": (
        Story(
            184875,
            clients_per_node=24,
            approval="every-node",
            is_late=True,
            lag_s=1.0,
            events=(Event(37.0, "killed"), Event(46.3, "journal removed")),
        ),
        "done",
    ),
    "the driver dies between the end of an abort and its word": (
        Story(184398, boot_s=1.0, stop_s=10.0, lag_s=0.05, events=(Event(5.1, "abort"), Event(15.4, "killed"))),
        "stands in 'idle'",
    ),
    "the operator evacuates a node and removes it a moment later": (
        Story(
            167658,
            clients_per_node=30,
            skews_s=(0.0, -0.5),
            events=(
                Event(36.2, "no right to write Endpoints"),
                Event(36.2, "Endpoints of all pods"),
                Event(38.7, "watches silent"),
                Event(39.5, "valve opened", 1),
            ),
        ),
        "done",
    ),
    "another console approves while its own count of a drain is older than the driver's": (
        Story(
            175228,
            nodes=12,
            clients_per_node=31,
            is_late=True,
            parallel=12,
            skews_s=(0.0, -0.5),
            boot_s=1.0,
        ),
        "done",
    ),
    "another console has aborted while the watches of this one are silent": (
        Story(
            176930,
            skews_s=(0.0, 0.0),
            events=(
                Event(11.4, "watches silent", 1),
                Event(16.1, "abort"),
                Event(27.6, "killed"),
                Event(38.7, "other rates", 1),
            ),
        ),
        "aborted",
    ),
    "nodes are taken from a drain while another broker hangs": (
        Story(
            177377,
            nodes=3,
            is_late=True,
            parallel=3,
            skews_s=(0.5, -0.5),
            boot_s=15.0,
            events=(Event(30.3, "a blue broker hangs for a while"), Event(33.1, "blue scaled to 1", 1)),
        ),
        "done",
    ),
    "a console whose news come late takes the lease of a release that was aborted": (
        Story(
            179154,
            nodes=3,
            churn_per_s=0.0,
            skews_s=(0.5, 0.0, 0.5),
            boot_s=15.0,
            stop_s=0.5,
            lag_s=1.0,
            events=(
                Event(11.8, "watches late by 10 s", 1),
                Event(12.9, "no right to patch the resource"),
                Event(53.6, "cut off", 1),
                Event(68.5, "abort", 2),
            ),
        ),
        "aborted",
    ),
    "clients that are refused for long come back more than a minute after the end": (
        Story(
            173249,
            preset="device",
            network="ebpf",
            skews_s=(0.0, 0.0),
            events=(Event(28.5, "cut off", 1), Event(38.8, "cut off"), Event(42.8, "Service removed")),
        ),
        "done",
    ),
    "somebody resumes a failed canary before the driver sees its own verdict stand": (
        Story(
            163857,
            clients_per_node=22,
            network="ebpf",
            skews_s=(0.0, -0.5, 0.0),
            boot_s=1.0,
            events=(Event(24.0, "resume", 2),),
        ),
        "done",
    ),
    "a green pod is deleted a moment before the end": (
        Story(186349, clients_per_node=11, network="ebpf", events=(Event(42.0, "green pod deleted"),)),
        "done",
    ),
    "somebody evacuates blue while nobody can count": (
        Story(
            187597,
            preset="device",
            skews_s=(0.0, 0.0, 0.5),
            lag_s=1.0,
            events=(
                Event(16.4, "EMQX answers 401", 2),
                Event(35.6, "somebody evacuates blue"),
            ),
        ),
        "done",
    ),
    "a pod is deleted in its drain, and EMQX is not asked about the cluster until the next one runs": (
        Story(
            186763,
            nodes=3,
            clients_per_node=10,
            preset="emqtt_bench-reconnect",
            churn_per_s=0.0,
            is_late=True,
            skews_s=(0.5, -0.5),
            boot_s=15.0,
            stop_s=10.0,
            lag_s=0.05,
            events=(Event(34.2, "blue pod deleted"),),
        ),
        "done",
    ),
    "blue is removed whole, and Kubernetes says so ten seconds late": (
        Story(
            188733,
            boot_s=15.0,
            stop_s=10.0,
            lag_s=1.0,
            events=(
                Event(13.2, "watches late by 10 s"),
                Event(39.8, "blue set removed"),
            ),
        ),
        "done",
    ),
    "a console that was cut off is told to resume, and judges by what it knew": (
        Story(
            190105,
            clients_per_node=27,
            skews_s=(0.0, 0.0),
            boot_s=15.0,
            stop_s=10.0,
            lag_s=1.0,
            events=(
                Event(54.7, "hold", 1),
                Event(60.4, "cut off"),
            ),
        ),
        "done",
    ),
    "a green broker that hung starts anew after the end, when most clients are on it": (
        Story(
            187535,
            nodes=3,
            network="ebpf",
            is_late=True,
            skews_s=(-0.5, -0.5),
            stop_s=10.0,
            events=(
                Event(57.3, "a green broker hangs for a while", 1),
                Event(65.9, "operator gets 401"),
            ),
        ),
        "done",
    ),
    "green is removed in the drains, and the template is put back": (
        Story(
            194147,
            nodes=3,
            skews_s=(0.0, 0.0),
            stop_s=10.0,
            events=(
                Event(57.4, "green set removed", 1),
                Event(58.3, "template reverted"),
            ),
        ),
        "aborted",
    ),
    "somebody evacuates blue at the end of an abort": (
        Story(
            190261,
            skews_s=(0.0, 0.0),
            boot_s=1.0,
            events=(
                Event(21.0, "abort", 1),
                Event(29.5, "somebody evacuates blue", 1),
            ),
        ),
        "aborted",
    ),
    "the operator drains and removes a node while another console's watch is broken": (
        Story(
            194295,
            clients_per_node=33,
            skews_s=(0.0, 0.0),
            boot_s=15.0,
            lag_s=1.0,
            events=(
                Event(37.7, "watches break", 1),
                Event(43.5, "valve opened"),
            ),
        ),
        "aborted",
    ),
    "EMQX refuses its key while clients are away": (
        Story(
            186590,
            clients_per_node=39,
            network="ebpf",
            approval="cut-over",
            skews_s=(-0.5, -0.5),
            boot_s=1.0,
            lag_s=1.0,
            events=(
                Event(8.2, "somebody evacuates blue"),
                Event(42.4, "EMQX answers 401"),
            ),
        ),
        "done",
    ),
    "a console that was cut off comes back when the operator has drained and removed a node": (
        Story(
            200827,
            clients_per_node=10,
            churn_per_s=0.0,
            skews_s=(0.0, 0.0),
            boot_s=1.0,
            events=(
                Event(15.5, "cut off"),
                Event(35.2, "killed", 1),
                Event(37.5, "valve opened", 1),
            ),
        ),
        "done",
    ),
    "a console comes back when a node is drained that was drained twice meanwhile": (
        Story(
            203476,
            clients_per_node=24,
            preset="device",
            is_late=True,
            skews_s=(0.0, -0.5),
            boot_s=1.0,
            stop_s=10.0,
            lag_s=1.0,
            events=(
                Event(23.0, "freeze", 1),
                Event(30.7, "cut off", 1),
            ),
        ),
        "done",
    ),
    "blue is removed and the template put back: the operator builds blue again, and takes green away": (
        Story(
            204389,
            boot_s=15.0,
            events=(
                Event(11.4, "blue set removed"),
                Event(12.2, "template reverted"),
                Event(25.1, "valve opened"),
                Event(42.0, "watches silent"),
            ),
        ),
        "aborted",
    ),
    "a blue pod is killed before a sum was counted in the release": (
        Story(208907, clients_per_node=28, skews_s=(0.5,), events=(Event(0.7, "blue pod killed"),)),
        "done",
    ),
    "the template is changed of an object that was removed": (
        Story(
            207438,
            skews_s=(0.0, 0.0),
            boot_s=1.0,
            lag_s=0.05,
            events=(
                Event(2.1, "object removed", 1),
                Event(21.6, "third template and back"),
            ),
        ),
        "failed",
    ),
    "a green pod is not Ready and EMQX refuses the key in an abort: it has clients all the same": (
        Story(
            192817,
            nodes=1,
            skews_s=(0.5,),
            events=(
                Event(27.8, "one answer of the journal lost"),
                Event(30.5, "valve opened"),
                Event(41.4, "green pod unready"),
                Event(48.6, "EMQX answers 401"),
            ),
        ),
        "aborted",
    ),
    "a driver without the right to write its lease hears too late that its journal was removed": (
        Story(
            188911,
            skews_s=(-0.5,),
            events=(Event(3.2, "no right to write the lease"), Event(15.9, "journal removed")),
        ),
        "failed",
    ),
    "the lease is removed before a driver with silent watches hears that its journal was": (
        Story(
            201310,
            stop_s=10.0,
            events=(
                Event(51.0, "watches silent"),
                Event(57.1, "journal removed"),
                Event(58.4, "lease removed"),
            ),
        ),
        "failed",
    ),
    "the journal cannot be read in the moment in which an abort has ended": (
        Story(
            217366,
            skews_s=(0.5, 0.5),
            boot_s=1.0,
            events=(Event(8.7, "abort", 1), Event(12.9, "journal tampered", 1)),
        ),
        "stands in 'idle'",
    ),
    "all of green is removed just after clients of a blue pod have come to it": (
        Story(
            222478,
            nodes=4,
            churn_per_s=0.0,
            boot_s=15.0,
            events=(Event(52.1, "blue pod deleted"), Event(53.6, "green set removed")),
        ),
        "done",
    ),
    "a green pod is killed as clients come back that wait for five seconds": (
        Story(
            227246,
            nodes=12,
            clients_per_node=30,
            preset="emqtt_bench-reconnect",
            skews_s=(0.0, 0.0),
            lag_s=1.0,
            events=(Event(69.7, "blue scaled to 1"), Event(76.3, "green pod killed", 1)),
        ),
        "done",
    ),
    "a node hangs so long that the cluster tells first of a drain when it is over": (
        Story(
            230048,
            clients_per_node=33,
            is_late=True,
            boot_s=15.0,
            events=(Event(27.4, "a blue broker hangs"), Event(37.6, "killed")),
        ),
        "done",
    ),
    "blue's nodes come back with the volumes of their drain while another one hangs": (
        Story(
            230314,
            nodes=6,
            has_volumes=True,
            skews_s=(-0.5, -0.5, 0.5),
            boot_s=1.0,
            stop_s=10.0,
            lag_s=1.0,
            events=(Event(90.7, "a blue broker hangs"), Event(108.5, "replicas raised and put back", 1)),
        ),
        "aborted",
    ),
    "a release is adopted once a fifth of the clients is gone, and aborted": (
        Story(
            222372,
            nodes=4,
            churn_per_s=0.5,
            events=(
                Event(2.4, "journal tampered"),
                Event(3.8, "operator cannot reach EMQX"),
                Event(13.3, "journal removed"),
            ),
        ),
        "aborted",
    ),
    "a blue broker restarts in the last moment of an abort": (
        Story(193341, skews_s=(0.5,), events=(Event(4.5, "abort"), Event(5.9, "blue broker restarts"))),
        "aborted",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_story_that_went_wrong_ends_well(name: str) -> None:
    story, result = KEPT[name]
    ending = play(story)
    assert (ending.result, ending.broken) == (result, [])
