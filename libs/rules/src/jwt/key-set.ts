import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { ConfigError } from '#usher/config';
import { createLocalJWKSet, type JWK } from 'jose';

const MAX_KEYS = 64;
const PUBLIC_TYPES: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);
/** Nothing else of a key is kept: no secret, and no address to fetch others from. */
const PUBLIC_FIELDS = ['kty', 'kid', 'use', 'key_ops', 'alg', 'n', 'e', 'crv', 'x', 'y'] as const;
const PEM = /-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g;

/** Public keys, or secrets: never both, so that none is used as the other. */
export type KeySet =
  | {
      readonly kind: 'public';
      readonly find: ReturnType<typeof createLocalJWKSet>;
      /** Those without a name (PEM has none): good for tokens that name any. */
      readonly unnamed: readonly KeyObject[];
      /** The same for the same keys. */
      readonly text: string;
    }
  | { readonly kind: 'secret'; readonly secrets: readonly KeyObject[] };

export function secretKeys(secrets: readonly string[]): KeySet {
  return { kind: 'secret', secrets: secrets.map((secret) => createSecretKey(Buffer.from(secret, 'utf8'))) };
}

/**
 * Reads a JWKS, or public keys and certificates in PEM. Keys that are not public are left out.
 * @throws ConfigError where there is no key to use
 */
export function readKeySet(text: string, name: string): KeySet {
  const keys = text.trimStart().startsWith('{') ? jwksKeys(text, name) : pemKeys(text, name);
  const usable = keys.filter(isUsable).map(publicPart);
  if (usable.length === 0) throw new ConfigError([`${name}: there is no public key in it`]);
  if (usable.length > MAX_KEYS) throw new ConfigError([`${name}: more than ${MAX_KEYS} keys`]);
  return {
    kind: 'public',
    find: createLocalJWKSet({ keys: usable }),
    unnamed: usable
      .filter(({ kid }) => kid === undefined)
      .map((key) => createPublicKey({ key, format: 'jwk' })),
    text: JSON.stringify(usable),
  };
}

function jwksKeys(text: string, name: string): readonly unknown[] {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    if (Array.isArray(keys)) return keys;
  } catch {
    // Said below.
  }
  throw new ConfigError([`${name}: expected a JWKS, {"keys": […]}, or public keys in PEM`]);
}

function pemKeys(text: string, name: string): readonly unknown[] {
  try {
    return Array.from(text.matchAll(PEM), ([pem]) => createPublicKey(pem).export({ format: 'jwk' }));
  } catch {
    throw new ConfigError([`${name}: a public key in PEM cannot be read`]);
  }
}

/** One that cannot be imported is left out: a key of a new kind must not take the others with it. */
function isUsable(key: unknown): key is JWK {
  if (key === null || typeof key !== 'object' || !PUBLIC_TYPES.has((key as JWK).kty)) return false;
  try {
    createPublicKey({ key: publicPart(key), format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

function publicPart(key: JWK): JWK {
  return Object.fromEntries(
    PUBLIC_FIELDS.filter((field) => key[field] !== undefined).map((field) => [field, key[field]]),
  ) as unknown as JWK;
}
