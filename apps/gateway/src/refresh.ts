import type { KeptDecisions, KnownMemory, SharedAnswers, TraitsByBackend } from '#usher/decisions';
import type { Log } from '#usher/domain';
import type { RefreshedUser } from '#usher/node';
import type { RedisClient } from '#usher/redis';
import { forgetKnown, userTest } from '#usher/sessions';

export interface RefreshParts {
  readonly kept: KeptDecisions;
  readonly shared: SharedAnswers;
  readonly known: KnownMemory;
  readonly backends: TraitsByBackend;
  readonly redis: RedisClient;
  readonly shards: number;
  readonly log: Log;
}

/**
 * Forgets what this gateway keeps of a user. Denials name nobody: all of them are forgotten, they are short-lived anyway.
 * A session whose credential is good once keeps its allow: asked about again, it could only be refused by mistake.
 */
export function forgetsUsers(parts: RefreshParts): (refreshed: RefreshedUser) => void {
  const { kept, shared, known, backends, redis, shards, log } = parts;
  return ({ namespace, user, at }) => {
    const isTheirName = userTest(namespace, user);
    const isTheirs = (backend: string, name = ''): boolean =>
      name !== '' && (backends.get(backend)?.namespace ?? backend) === namespace && isTheirName(name);
    shared.forget((answer) => answer.kind === 'deny' || isTheirs(answer.backend, answer.user));
    for (const viewer of known.forget((backend, name) => isTheirs(backend, name))) {
      forgetKnown(redis, shards, { ...viewer, allowedBefore: at }).catch((error: unknown) =>
        log.debug({ error }, 'a known viewer could not be forgotten in Redis'),
      );
    }
    kept.refresh(
      (session) => session.namespace === namespace && session.user !== '' && isTheirName(session.user),
      (backend) => backends.get(backend)?.credential === 'reusable',
    );
  };
}
