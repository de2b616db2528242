import type { BackendPort, Check, Question } from '#usher/domain';

/** Remembers what is asked at a backend, for an answer that comes when nobody waits for it any more. */
export function identified() {
  const questions = new WeakMap<Check, Question>();
  return {
    of: (check: Check): Question | undefined => questions.get(check),
    noting: (backends: BackendPort): BackendPort => ({
      ask: (question) => {
        questions.set(question.check, question);
        return backends.ask(question);
      },
    }),
  };
}
