"""Whether numbered lines are all there, once each."""

import re

LINE = re.compile(r"line (\d+)")
# What a shell says of a child that was killed, behind what that had printed of its last line.
KILLED = ("Killed", "Terminated")
NOTICE = re.compile(r"\[llm-shell: (\d+) lines are missing here.*")


def check_run(lines, total, dropped, is_whole):
    """What is wrong with the lines of one run, which prints `line 1` to `line {total}`.

    Where it was cut short (`is_whole` is false) its last line may be torn, and what would
    have followed is not there; so many as `dropped` says may be missing, at a notice or at the end.
    """
    expected, told, wrong = 1, 0, []
    for index, text in enumerate(lines):
        if notice := NOTICE.fullmatch(text):
            missing = int(notice[1])
            told, expected = told + missing, expected + missing
        elif text.endswith(KILLED):
            is_whole = False
        elif (number := LINE.fullmatch(text)) and int(number[1]) == expected:
            expected += 1
        elif index == len(lines) - 1 and not is_whole and f"line {expected}".startswith(text):
            pass
        else:
            wrong.append(f"{text!r} in the place of line {expected}")
            break
    if told > dropped:
        wrong.append(f"{told} are said to be missing in the log, and {dropped} by the run")
    lost_at_end = dropped - told
    if is_whole and not wrong and expected + lost_at_end != total + 1:
        wrong.append(f"{expected - 1} of {total} lines, {lost_at_end} told as dropped")
    return wrong


def check_service(lines):
    """What is wrong with the lines of many runs of one service, each of which begins with
    `line 1`. The oldest may be gone, and the last line of each may be torn."""
    expected, behind_notice, wrong, is_first = 1, None, [], True
    for index, text in enumerate(lines):
        number = LINE.fullmatch(text)
        if notice := NOTICE.fullmatch(text):
            # They are the next of this run, or the first of another.
            expected, behind_notice = expected + int(notice[1]), int(notice[1]) + 1
        elif text.endswith(KILLED):
            pass
        elif number and (int(number[1]) in (1, expected, behind_notice) or is_first):
            expected, behind_notice = int(number[1]) + 1, None
        elif f"line {expected}".startswith(text) and lines[index + 1 : index + 2] in (
            [],
            ["line 1"],
        ):
            pass
        else:
            wrong.append(f"{text!r} in the place of line {expected}, behind {lines[index - 1]!r}")
            expected = int(number[1]) + 1 if number else expected
        is_first = False
    return wrong
