import type { ReferersRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import { deny, PASS, type Filter, type Verdict } from '../rule.js';

const RULE = 'referers';
const REFUSED = deny(RULE, 'rule-referer-denied');
/** scheme://user@host:port, and what follows the host. A backslash is a slash to browsers. */
const HOST = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#\\]*@)?([^/?#\\@:]+)(?::\d*)?(?:[/?#\\]|$)/i;
const MAX_LENGTH = 4096;

/** The web page that the player stands on. A player that is no browser says what it likes, so it refuses only. */
export class ReferersRule implements Filter {
  readonly name = RULE;
  readonly #hosts: ReadonlySet<string>;
  /** With their leading dot. */
  readonly #domains: readonly string[];

  constructor(private readonly config: ReferersRuleConfig) {
    this.#hosts = new Set(config.hosts.filter((host) => !host.startsWith('*.')));
    this.#domains = config.hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
  }

  look({ referer }: RuleInput): Verdict {
    if (referer === undefined || referer === '') return this.config.none === 'deny' ? REFUSED : PASS;
    const host = refererHost(referer);
    if (host === undefined) return REFUSED;
    const isKnown = this.#hosts.has(host) || this.#domains.some((domain) => host.endsWith(domain));
    return isKnown ? PASS : REFUSED;
  }
}

/** In small letters, without a dot at its end; undefined: it names none. */
export function refererHost(referer: string): string | undefined {
  const host = HOST.exec(referer.slice(0, MAX_LENGTH))?.[1]?.toLowerCase();
  return host?.endsWith('.') ? host.slice(0, -1) : host;
}
