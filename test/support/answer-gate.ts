import type { PortalBehaviour } from '#usher/testing';

/** Lets a portal's answers wait: what was asked is in the air then. */
export interface AnswerGate {
  /** As `then`, at once while the gate is open, else when it opens. */
  behind(then: PortalBehaviour): PortalBehaviour;
  /** After so many more answers no more come out. */
  shutAfter(answers: number): void;
  /** What waits is answered, and all that comes. */
  open(): void;
  /** Questions that wait. */
  readonly waiting: number;
}

export function answerGate(): AnswerGate {
  let left = Infinity;
  let held: (() => void)[] = [];
  return {
    behind: (then) => (request, response) => {
      left -= 1;
      if (left >= 0) then(request, response);
      else held.push(() => then(request, response));
    },
    shutAfter: (answers) => void (left = answers),
    open: () => {
      left = Infinity;
      for (const answer of held.splice(0)) answer();
      held = [];
    },
    get waiting() {
      return held.length;
    },
  };
}
