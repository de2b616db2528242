import type { CountriesRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import type { Current } from '../files/watched-file.js';
import { deny, PASS, type Filter, type Verdict } from '../rule.js';
import type { CountryDatabase } from './country-database.js';

const RULE = 'countries';
const REFUSED = deny(RULE, 'rule-country-denied');

/** The country of the viewer's address, from a database and never from what a client says. It refuses only. */
export class CountriesRule implements Filter {
  readonly name = RULE;
  readonly #allow: ReadonlySet<string>;
  readonly #deny: ReadonlySet<string>;

  constructor(
    private readonly config: Omit<CountriesRuleConfig, 'database'>,
    private readonly database: Current<CountryDatabase>,
  ) {
    this.#allow = new Set(config.allow);
    this.#deny = new Set(config.deny);
  }

  look({ ip }: RuleInput): Verdict {
    const country = this.database.current.of(ip);
    if (country === undefined) return this.config.unknown === 'deny' ? REFUSED : PASS;
    if (this.#deny.has(country)) return REFUSED;
    return this.#allow.size > 0 && !this.#allow.has(country) ? REFUSED : PASS;
  }
}
