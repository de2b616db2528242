import type { UsersRuleConfig } from '#usher/config';
import { networkOf, type RuleInput, type RuleOutcome } from '#usher/domain';
import type { Current } from '../files/watched-file.js';
import { inTime } from '../in-time.js';
import { allow, deny, PASS, type CredentialRule } from '../rule.js';
import { MAX_TOKEN, shownLogin, shownTokens } from '../words/shown-tokens.js';
import type { AccountTable, TokenAccount } from './account-table.js';
import type { Checked, PasswordChecks } from './password-checks.js';

const RULE = 'users';
const WRONG = deny(RULE, 'rule-login-denied');
const BUSY = deny(RULE, 'rule-busy');
/** A check waits so long for a password at most, ms. It is hashed all the same, and known at the next question. */
const WAIT_MS = 1_000;

/** Logins with passwords, and static tokens. Whom nobody here knows is passed on. */
export class UsersRule implements CredentialRule {
  readonly name = RULE;

  /** @param tables the accounts of the configuration, then those of the file */
  constructor(
    private readonly config: Pick<UsersRuleConfig, 'loginParameter' | 'tokenParameter'>,
    private readonly tables: readonly Current<AccountTable>[],
    private readonly passwords: PasswordChecks,
  ) {}

  judge(asked: RuleInput): RuleOutcome | Promise<RuleOutcome> {
    const owner = this.#ownerOfToken(asked);
    return owner === undefined ? this.#judgeLogin(asked) : letIn(owner);
  }

  #ownerOfToken(asked: RuleInput): TokenAccount | undefined {
    const tables = this.tables.filter(({ current }) => current.hasTokens);
    if (tables.length === 0) return undefined;
    for (const token of shownTokens(asked, this.config.tokenParameter)) {
      if (token.length > MAX_TOKEN) continue;
      for (const { current } of tables) {
        const owner = current.token(token);
        if (owner !== undefined) return owner;
      }
    }
    return undefined;
  }

  #judgeLogin(asked: RuleInput): RuleOutcome | Promise<RuleOutcome> {
    const tables = this.tables.filter(({ current }) => current.hasLogins);
    const login = tables.length === 0 ? undefined : shownLogin(asked, this.config.loginParameter);
    if (login === undefined) return PASS;
    const holder = tables.find(({ current }) => current.login(login.name) !== undefined);
    const known = holder?.current.login(login.name);
    const account = known ?? tables[0]!.current.standIn(login.name);
    if (account === undefined) return PASS;
    const outcome = (checked: Checked): RuleOutcome => {
      if (known === undefined) return PASS;
      return checked === 'good' ? letIn(known) : checked === 'busy' ? BUSY : WRONG;
    };
    const checked = this.passwords.check(login, account, known !== undefined, networkOf(asked.ip));
    return typeof checked === 'string'
      ? outcome(checked)
      : inTime<Checked>(checked, WAIT_MS, 'busy').then(outcome);
  }
}

function letIn({ name, maxSessions }: TokenAccount): RuleOutcome {
  return allow(RULE, {
    user: name,
    sessionName: name,
    ...(maxSessions === undefined ? {} : { maxSessions }),
  });
}
