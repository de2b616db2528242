import type { KnownViewers, SessionRegistry } from '#usher/domain';
import type { RenewalStore } from '#usher/sessions';

/**
 * A Redis that was too busy for one command is not away, so nothing would heal what it missed; and a script that it
 * does not know yet takes two round trips. Milliseconds.
 */
const AGAIN_AFTER = [250, 1_000];

/** For those who do not wait: a write that met a busy Redis is tried again. The commands are idempotent. */
export function patientRegistry(registry: SessionRegistry, againAfter = AGAIN_AFTER): SessionRegistry {
  return {
    find: (name, fingerprint) => registry.find(name, fingerprint),
    open: (session) => again(() => registry.open(session), againAfter),
  };
}

/** As `patientRegistry`. */
export function patientKnownViewers(known: KnownViewers, againAfter = AGAIN_AFTER): KnownViewers {
  return {
    find: (backend, viewerKey) => known.find(backend, viewerKey),
    remember: (backend, viewerKey, fingerprint, grant) =>
      again(() => known.remember(backend, viewerKey, fingerprint, grant), againAfter),
  };
}

/** As `patientRegistry`: a question that is not kept is never asked again. */
export function patientRenewals(
  store: Pick<RenewalStore, 'keep'>,
  againAfter = AGAIN_AFTER,
): Pick<RenewalStore, 'keep'> {
  return { keep: (...what) => again(() => store.keep(...what), againAfter) };
}

/** Rejects with the last error, after the last pause's try. */
async function again(command: () => Promise<void>, pauses: readonly number[]): Promise<void> {
  for (const pause of pauses) {
    try {
      return await command();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause).unref());
    }
  }
  return command();
}
