/** At most this part of a time is taken off. */
const MOST = 0.1;
/** Of a fingerprint: base32, so that three letters tell 32,768 apart. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const LOOKED_AT = 3;

/**
 * A time, ms, or up to a tenth less: viewers who came together do not come due together. By the fingerprint, which is as
 * good as random: worker and gateways come to the same for one session.
 */
export function sooner(ms: number, fingerprint: string): number {
  let number = 0;
  for (let i = 0; i < LOOKED_AT; i += 1)
    number = number * LETTERS.length + Math.max(0, LETTERS.indexOf(fingerprint.charAt(i)));
  return Math.round(ms * (1 - (MOST * number) / LETTERS.length ** LOOKED_AT));
}
