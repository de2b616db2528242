import type { BackendPort, Check, Identity } from '#usher/domain';

/** Remembers whose check is at a backend, for an answer that comes when nobody waits for it any more. */
export function identified() {
  const identities = new WeakMap<Check, Identity>();
  return {
    of: (check: Check): Identity | undefined => identities.get(check),
    noting: (backends: BackendPort): BackendPort => ({
      ask: (question) => {
        identities.set(question.check, question.identity);
        return backends.ask(question);
      },
    }),
  };
}
