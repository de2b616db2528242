import type { Problem } from './problem.js';
import type { Config } from './schema.js';

/** What an edge’s dialect cannot do without. */
export function dialectProblems({ edges }: Config): Problem[] {
  return Object.entries(edges).flatMap(([name, { dialect, ome }]) => {
    if (dialect !== 'ome' || ome.secret !== undefined) return [];
    const message = 'dialect ome needs it: the SecretKey of its AdmissionWebhooks, which signs the questions';
    return [{ path: ['edges', name, 'ome', 'secret'], message }];
  });
}
