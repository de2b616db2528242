import { ConfigError } from '#usher/config';
import { Reader, type Response } from 'mmdb-lib';
import { readAddress } from '../addresses/address.js';

/** A database of countries has some hundred records; one of cities has more, and the rest is read again each time. */
const MAX_RECORDS = 20_000;
/** Addresses that a whole file answers without breaking: they lead through several parts of its tree. */
const TRIED = [
  '0.0.0.1',
  '8.8.8.8',
  '81.2.69.142',
  '127.0.0.1',
  '223.255.255.254',
  '::1',
  '2001:4860::1',
  'fd00::1',
];

const scratch = new Uint32Array(4);

/** Knows in which country an address is, from an MMDB file. */
export class CountryDatabase {
  readonly #reader: Reader<Response>;
  readonly #records = new Map<string | number, unknown>();
  readonly #hasV6: boolean;

  /** @throws ConfigError where this is no MMDB, or one without countries */
  constructor(bytes: Buffer, name: string) {
    try {
      this.#reader = new Reader<Response>(bytes, {
        cache: {
          get: (key) => this.#records.get(key),
          set: (key, value) => {
            if (this.#records.size < MAX_RECORDS) this.#records.set(key, value);
          },
        },
      });
      this.#hasV6 = this.#reader.metadata.ipVersion === 6;
      checkTree(this.#reader, bytes.length);
      for (const ip of TRIED) this.of(ip);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ConfigError([`${name}: this is no MMDB file that can be read (${why})`]);
    }
    const { databaseType } = this.#reader.metadata;
    if (/asn|isp|domain|connection/i.test(databaseType)) {
      throw new ConfigError([`${name}: a database of countries is needed, this one is "${databaseType}"`]);
    }
  }

  /** Two capital letters; undefined: not known, or this is no address. */
  of(ip: string): string | undefined {
    const family = readAddress(ip, scratch);
    if (family === 0 || (family === 6 && !this.#hasV6)) return undefined;
    return countryOf(this.#reader.get(family === 4 ? dotted(scratch[0]!) : ip.split('%')[0]!));
  }
}

/** The reader itself reads past the end of a file that was cut. */
function checkTree({ metadata }: Reader<Response>, bytes: number): void {
  const { nodeCount, searchTreeSize, ipVersion } = metadata;
  const isWhole = nodeCount > 0 && searchTreeSize + 16 < bytes && (ipVersion === 4 || ipVersion === 6);
  if (!isWhole) throw new Error('its tree is cut or empty');
}

const dotted = (word: number): string =>
  `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;

/** GeoLite2, GeoIP2 and DB-IP nest it, IPinfo writes it at the top. */
function countryOf(record: unknown): string | undefined {
  if (record === null || typeof record !== 'object') return undefined;
  const { country, country_code: code } = record as { country?: unknown; country_code?: unknown };
  const nested =
    country !== null && typeof country === 'object' ? (country as { iso_code?: unknown }).iso_code : country;
  const found = [nested, code].find((one) => typeof one === 'string' && one.length === 2);
  return typeof found === 'string' ? found.toUpperCase() : undefined;
}
