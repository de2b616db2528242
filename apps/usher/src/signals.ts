/** A terminal and npm send the same Ctrl-C once each; only a later signal is a person's second one. Milliseconds. */
const ECHO = 1_000;

/**
 * The first SIGINT, SIGTERM or SIGHUP resolves the promise: end gracefully. A second one, a second later or more, ends the process at once.
 */
export function untilSignal(target: NodeJS.Process, clock: () => number): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      target.on(signal, () => {
        if (first === undefined) {
          first = clock();
          resolve();
        } else if (clock() - first >= ECHO) target.exit(1);
      });
    }
  });
}
