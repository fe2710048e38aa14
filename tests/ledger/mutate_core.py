#!/usr/bin/env python3
"""mutate_core.py [SEEDS|places]: break one line of the protocol core at a time; the simulator must
notice.

Run in the top folder; needs a C compiler.  Mutants that cannot be noticed are listed with the
reason.  Exit 1 when another one survives, or when a mutated line is not found any more; with
`places` only the latter is looked at, so that the list does not go stale.
"""
import glob
import os
import subprocess
import sys

CORE = sorted(glob.glob("src/ledger/protocol_*.c"))
FOLDER = "build/mutants"

# name, text, replacement
MUTANTS = [
    ('no confirm',
     '(run->confirming && ev->control_applied > 0)',
     '(p->control.minute != 0 && ev->control_applied > 0)'),
    ('result for any SENDING',
     '} else if (p->state == PART_SENDING && ledger_marker_eq(&p->marker, &run->sent)) {',
     '} else if (p->state == PART_SENDING) {'),
    ('result for any state',
     '} else if (p->state == PART_SENDING && ledger_marker_eq(&p->marker, &run->sent)) {',
     '} else if (!ledger_part_final(p)) {'),
    ('send without seeing our nonce',
     '    case AFTER_SENDING:\n        if (ours)',
     '    case AFTER_SENDING:\n        if (ours || p->state == PART_SENDING)'),
    ('send again after PLANNED',
     '    case AFTER_SENDING:\n        if (ours)',
     '    case AFTER_SENDING:\n        if (1)'),
    ('everything is member',
     '        return true;\n    }\n    return false;',
     '        return true;\n    }\n    return true;'),
    ('nothing is member',
     '        return true;\n    }\n    return false;',
     '        return false;\n    }\n    return false;'),
    ('unknown claim is mine',
     '        default: count_try(run, o);\n        }',
     '        default: o->state = OBJECT_MINE;\n        }'),
    ('take without tombstone',
     '                abort_it = true;',
     '                o->state = OBJECT_CLAIM;'),
    ('tombstone conflict is ok',
     '        if (ev->kind == EVENT_OK)\n            o->state = OBJECT_CLAIM;',
     '        if (ev->kind != EVENT_FAILED)\n            o->state = OBJECT_CLAIM;'),
    ('tombstone failed is ok',
     '        if (ev->kind == EVENT_OK)\n            o->state = OBJECT_CLAIM;',
     '        if (1)\n            o->state = OBJECT_CLAIM;'),
    ('prepare conflict is ok',
     '    if (ev->kind == EVENT_OK) {\n        run->batch.state = BATCH_PREPARED;',
     '    if (ev->kind != EVENT_FAILED) {\n        run->batch.state = BATCH_PREPARED;'),
    ('prepare failed is ok',
     '    if (ev->kind == EVENT_OK) {\n        run->batch.state = BATCH_PREPARED;',
     '    if (1) {\n        run->batch.state = BATCH_PREPARED;'),
    ('sending failed is ok',
     '    if (ev->kind == EVENT_OK) {\n        *core_current(run) = run->next;\n'
     '        core_emit_send(run, fx);',
     '    if (ev->kind != EVENT_CONFLICT) {\n        *core_current(run) = run->next;\n'
     '        core_emit_send(run, fx);'),
    ('sending conflict is ok',
     '    if (ev->kind == EVENT_OK) {\n        *core_current(run) = run->next;\n'
     '        core_emit_send(run, fx);',
     '    if (1) {\n        *core_current(run) = run->next;\n        core_emit_send(run, fx);'),
    ('result failed is ok',
     '    if (ev->kind != EVENT_OK) {\n        core_reload(run, AFTER_RESULT, fx);',
     '    if (0) {\n        core_reload(run, AFTER_RESULT, fx);'),
    ('fence without margin',
     '    int64_t fence_ms = p->date_ms + run->config.fence_ms;',
     '    int64_t fence_ms = p->date_ms + run->config.fence_ms - 300000;'),
    ('fence 10 min',
     '    int64_t fence_ms = p->date_ms + run->config.fence_ms;',
     '    int64_t fence_ms = p->date_ms + run->config.fence_ms / 2;'),
    ('fence by own clock',
     '    if (ev->server_ms <= fence_ms) {',
     '    if (run->now_ms <= fence_ms) {'),
    ('applied needs 2',
     '    if (ev->applied > 0) {',
     '    if (ev->applied > 1) {'),
    ('control without journal',
     'run->next.control = ev->marker;',
     'run->next.control = core_current(run)->marker;'),
    ('split loses attempt',
     '        next->attempt++;\n        break;\n    case RESULT_RESEND',
     '        break;\n    case RESULT_RESEND'),
    ('extra wrong range',
     '.first = next->first + next->count / 2,',
     '.first = next->first + next->count / 2 + 1,'),
    ('keeps nonce',
     '    next->nonce = ev->fresh;\n    run->next_split',
     '    run->next_split'),
    ('no answer is refused',
     '    run->tally.requests_in_doubt++;',
     '    if (1) { core_start_result(run, RESULT_REFUSED, ev, fx); return; }'),
    ('done without a report',
     'if (!run->reported && ledger_batch_doubts(&run->batch, &doubts))',
     'if (!run->reported && ledger_batch_doubts(&run->batch, &doubts) && run->stop)'),
    ('reported without an answer',
     '    if (ev->kind == EVENT_OK) {\n        run->reported = true;',
     '    if (1) {\n        run->reported = true;'),
    ('done with skipped',
     '    if (all_final)\n',
     '    if (all_final || run->skipped)\n'),
    ('duplicate when prepared',
     '            o->state = OBJECT_PENDING;',
     '            o->state = OBJECT_COUNTED_BEFORE;'),
    ('lease for ever',
     '    if (left_ms <= 0 ||',
     '    if (0 ||'),
    ('no far-date rule',
     ' || left_ms > 2 * run->config.lease_ms)',
     ')'),
]

SURVIVORS = {
    'fence without margin':
        'the simulated CloudWatch keeps its 15 minutes exactly; the margin is for real clocks',
    'split loses attempt':
        'the number is only shown to people; markers tell attempts apart',
    'duplicate when prepared':
        'only slower: the list of open batches does not need the message',
    'no far-date rule':
        'only slower: within the simulated time the date comes',
}


def build(mutated, text):
    path = os.path.join(FOLDER, os.path.basename(mutated))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    files = [path if file == mutated else file for file in CORE]
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-Isrc", "-O2",
                    *files, "tests/ledger/simulator.c", "-o", os.path.join(FOLDER, "sim")],
                   check=True)


def noticed(seeds):
    """Seeds that failed, or why it ended otherwise; 0 when it was not noticed."""
    step = 100
    for first in range(1, seeds + 1, step):
        try:
            done = subprocess.run(
                [os.path.join(FOLDER, "sim"), "--seeds", f"{first}:{first + step - 1}"],
                capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "never ends"
        if done.returncode < 0:
            return "crashes"
        if done.returncode != 0:
            return f"{done.stdout.splitlines()[0]}"
    return ""


def main():
    only_places = sys.argv[1:] == ["places"]
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 and not only_places else 1000
    os.makedirs(FOLDER, exist_ok=True)
    core = {}
    for file in CORE:
        with open(file, encoding="utf-8") as f:
            core[file] = f.read()
    wrong = 0
    for name, text, replacement in MUTANTS:
        places = [file for file in CORE if text in core[file]]
        if len(places) != 1:
            print(f"{name}: its text is in {len(places)} files")
            wrong += 1
            continue
        if only_places:
            continue
        build(places[0], core[places[0]].replace(text, replacement, 1))
        how = noticed(seeds)
        if how:
            print(f"{name}: noticed, {how}")
        elif name in SURVIVORS:
            print(f"{name}: not noticed, as expected: {SURVIVORS[name]}")
        else:
            print(f"{name}: NOT NOTICED")
            wrong += 1
    print(f"{len(MUTANTS)} mutants, {len(SURVIVORS)} of them harmless")
    print(f"{len(MUTANTS) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
