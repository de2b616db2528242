import type { Current } from '../files/watched-file.js';
import type { KeySet } from './key-set.js';

/** Where the keys of tokens come from. */
export interface KeySource {
  /** Undefined: there are none yet. */
  readonly current: KeySet | undefined;
  /** Looks for newer keys, unless it was just done. True: `current` is what there is now. Never rejects. */
  look(): Promise<boolean>;
}

/** Keys that are always there: secrets, and files, which are looked at by themselves. */
export function steadyKeys(keys: Current<KeySet>): KeySource {
  return {
    get current() {
      return keys.current;
    },
    look: () => Promise.resolve(true),
  };
}
