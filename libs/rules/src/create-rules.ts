import {
  ConfigError,
  hasTarget,
  parseAccount,
  type Config,
  type RouteConfig,
  type RulesConfig,
} from '#usher/config';
import type { Clock, Log, Random, RuleChain, Rules } from '#usher/domain';
import type { AddressList } from './addresses/address-list.js';
import { IpRule } from './addresses/ip-rule.js';
import { readListFile } from './addresses/list-file.js';
import { Chain } from './chain.js';
import { CountriesRule } from './countries/countries-rule.js';
import { CountryDatabase } from './countries/country-database.js';
import { FileWatch } from './files/file-watch.js';
import type { FileKind } from './files/watched-file.js';
import { JwtRule } from './jwt/jwt-rule.js';
import { readKeySet, secretKeys, type KeySet } from './jwt/key-set.js';
import { steadyKeys, type KeySource } from './jwt/key-source.js';
import { RemoteKeys } from './jwt/remote-keys.js';
import type { CredentialRule, Filter } from './rule.js';
import { SecretDigest } from './secret-digest.js';
import { SecuretokenRule } from './securetoken/securetoken-rule.js';
import { Trouble } from './trouble.js';
import { AccountTable, readAccounts } from './users/account-table.js';
import { PasswordChecks } from './users/password-checks.js';
import { UsersRule } from './users/users-rule.js';
import { ReferersRule } from './words/referers-rule.js';
import { UserAgentsRule } from './words/user-agents-rule.js';

/** Between two looks whether a file has changed, ms. Half a look passes on average, and then one more. */
const LOOK_MS = 2_000;
const MIB = 1024 * 1024;

export interface RulesParts {
  readonly clock: Clock;
  readonly log: Log;
  /** For jitter; default Math.random. */
  readonly random?: Random;
  /** Between two looks whether a file has changed, ms; default 2 s. */
  readonly lookEvery?: number;
  /** Only sees whether all files can be used: nothing is fetched or watched. */
  readonly isDry?: boolean;
}

export interface RunningRules extends Rules {
  /** Looks at all files now; twice, and what has changed is in force. */
  look(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The rules of all routes that have some. Reads their files; keys at an address are fetched meanwhile, and not waited for.
 * @throws ConfigError with every file that cannot be used, by setting, file and line
 */
export async function createRules(config: Pick<Config, 'routes'>, parts: RulesParts): Promise<RunningRules> {
  const building = new Building(parts);
  const built = await Promise.allSettled(
    config.routes.map((route, at) => building.chain(route, `routes[${at}]`)),
  );
  const problems = built.flatMap((one) => (one.status === 'rejected' ? problemsOf(one.reason) : []));
  if (problems.length > 0) throw new ConfigError(problems);
  const chains = built.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  return building.run(chains);
}

function problemsOf(reason: unknown): readonly string[] {
  if (reason instanceof ConfigError) return reason.problems;
  throw reason;
}

/** What rules of several routes share while they are put together. */
class Building {
  #version = 0;
  readonly #files: FileWatch;
  readonly #remote = new Map<string, RemoteKeys>();
  readonly #digest = new SecretDigest();
  readonly #passwords: PasswordChecks;
  readonly #trouble: Trouble;
  readonly #accounts: FileKind<AccountTable> = {
    what: 'the file of accounts',
    maxBytes: 32 * MIB,
    read: (bytes, name) => readAccounts(bytes, name, this.#digest),
  };

  constructor(private readonly parts: RulesParts) {
    this.#files = new FileWatch(parts.log, () => this.#changed());
    this.#passwords = new PasswordChecks(parts.clock, this.#digest);
    this.#trouble = new Trouble(parts.clock, parts.log);
  }

  async chain(route: RouteConfig, place: string): Promise<RuleChain | undefined> {
    const { rules } = route;
    if (rules === undefined) return undefined;
    const [filters, credentials] = await Promise.all([
      this.#filters(rules, place),
      this.#credentials(rules, place),
    ]);
    return new Chain({
      place,
      filters,
      credentials,
      hasTarget: hasTarget(route),
      otherwise: rules.otherwise ?? (hasTarget(route) ? 'pass' : 'deny'),
      trouble: this.#trouble,
    });
  }

  run(chains: readonly (RuleChain | undefined)[]): RunningRules {
    if (this.parts.isDry !== true) {
      this.#files.start(this.parts.lookEvery ?? LOOK_MS);
      for (const keys of this.#remote.values()) keys.start();
    }
    const version = (): number => this.#version;
    return {
      get version() {
        return version();
      },
      ofRoute: (index) => chains[index],
      look: () => this.#files.look(),
      close: async () => {
        await Promise.all([
          this.#files.close(),
          ...Array.from(this.#remote.values(), (keys) => keys.close()),
        ]);
      },
    };
  }

  async #filters(rules: RulesConfig, place: string): Promise<Filter[]> {
    const { ip, countries, userAgents, referers } = rules;
    const list = ip?.file && (await at(`${place}.rules.ip.file`, this.#files.open(ip.file, ADDRESSES)));
    const database =
      countries &&
      (await at(`${place}.rules.countries.database`, this.#files.open(countries.database, COUNTRIES)));
    return [
      ...(ip === undefined ? [] : [new IpRule(ip, list || undefined)]),
      ...(countries === undefined ? [] : [new CountriesRule(countries, database!)]),
      ...(userAgents === undefined ? [] : [new UserAgentsRule(userAgents)]),
      ...(referers === undefined ? [] : [new ReferersRule(referers)]),
    ];
  }

  async #credentials(rules: RulesConfig, place: string): Promise<CredentialRule[]> {
    const { securetoken, users, jwt } = rules;
    const { clock } = this.parts;
    return [
      ...(securetoken === undefined ? [] : [new SecuretokenRule(securetoken, clock)]),
      ...(users === undefined ? [] : [await this.#users(users, place)]),
      ...(jwt === undefined
        ? []
        : [new JwtRule({ config: jwt, keys: await this.#keys(jwt, place), clock, digest: this.#digest })]),
    ];
  }

  async #users(users: NonNullable<RulesConfig['users']>, place: string): Promise<UsersRule> {
    const own = new AccountTable(this.#digest);
    for (const [index, line] of users.accounts.entries()) {
      try {
        own.add(parseAccount(line));
      } catch (error) {
        throw new ConfigError([
          `${place}.rules.users.accounts[${index}]: expected ${(error as Error).message}`,
        ]);
      }
    }
    const file =
      users.file && (await at(`${place}.rules.users.file`, this.#files.open(users.file, this.#accounts)));
    return new UsersRule(users, [{ current: own }, ...(file ? [file] : [])], this.#passwords);
  }

  async #keys(jwt: NonNullable<RulesConfig['jwt']>, place: string): Promise<KeySource> {
    if (jwt.secrets !== undefined) return steadyKeys({ current: secretKeys(jwt.secrets) });
    if (jwt.file !== undefined)
      return steadyKeys(await at(`${place}.rules.jwt.file`, this.#files.open(jwt.file, KEYS)));
    if (jwt.url === undefined) throw new RangeError('jwt without keys');
    const { clock, log, random = Math.random } = this.parts;
    const key = `${jwt.refresh} ${jwt.url}`;
    const known = this.#remote.get(key);
    if (known !== undefined) return known;
    const onChange = (): void => this.#changed();
    const keys = new RemoteKeys({ url: jwt.url, refresh: jwt.refresh, clock, log, random, onChange });
    this.#remote.set(key, keys);
    return keys;
  }

  #changed(): void {
    this.#version += 1;
  }
}

const ADDRESSES: FileKind<AddressList> = {
  what: 'the list of addresses',
  maxBytes: 64 * MIB,
  read: readListFile,
};
const COUNTRIES: FileKind<CountryDatabase> = {
  what: 'the database of countries',
  maxBytes: 512 * MIB,
  read: (bytes, name) => new CountryDatabase(bytes, name),
};
const KEYS: FileKind<KeySet> = {
  what: 'the file of keys',
  maxBytes: MIB,
  read: (bytes, name) => readKeySet(bytes.toString('utf8'), name),
};

/** Says which setting names the file. */
async function at<T>(setting: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => `${setting}: ${problem}`));
  }
}
