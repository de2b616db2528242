import type { IpRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import type { Current } from '../files/watched-file.js';
import { allow, deny, EXEMPT, PASS, type Filter, type Verdict } from '../rule.js';
import { readAddress } from './address.js';
import { AddressList, VERDICTS, verdictOf } from './address-list.js';

const RULE = 'ip';
const LET_IN = allow(RULE);
const REFUSED = deny(RULE, 'rule-ip-denied');
const scratch = new Uint32Array(4);

/** The viewer's address, as his edge says it. The longest network of all lists wins. */
export class IpRule implements Filter {
  readonly name = RULE;
  readonly #own = new AddressList();

  constructor(
    config: Pick<IpRuleConfig, (typeof VERDICTS)[number]>,
    private readonly file?: Current<AddressList>,
  ) {
    for (const verdict of VERDICTS) {
      for (const network of config[verdict]) {
        if (!this.#own.add(network, verdict)) throw new RangeError(`${network} is no network`);
      }
    }
    this.#own.trim();
  }

  look({ ip }: RuleInput): Verdict {
    const family = readAddress(ip, scratch);
    const own = this.#own.find(family, scratch);
    const listed = this.file === undefined ? 0 : this.file.current.find(family, scratch);
    switch (verdictOf(Math.max(own, listed))) {
      case 'allow':
        return LET_IN;
      case 'deny':
        return REFUSED;
      case 'pass':
        return EXEMPT;
      case undefined:
        return PASS;
    }
  }
}
