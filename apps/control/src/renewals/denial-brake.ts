/** So many answers of a backend are looked back on. */
const LOOKED_BACK = 100;
/** Before there are so many, a denial is believed. */
const ENOUGH = 20;
/** More denied than this share are unlike people who stopped paying. */
const TOO_MANY = 0.2;

/**
 * A portal whose cache died denies everybody with a clean 403: whom it allowed before is not cut by that. Tells by each
 * backend's last answers about sessions that it had allowed.
 */
export class DenialBrake {
  readonly #answers = new Map<string, boolean[]>();

  /** Notes an answer. True where too many of the last ones were denials: then a denial is not believed. */
  note(backend: string, isDenied: boolean): boolean {
    let answers = this.#answers.get(backend);
    if (answers === undefined) this.#answers.set(backend, (answers = []));
    answers.push(isDenied);
    if (answers.length > LOOKED_BACK) answers.shift();
    const denied = answers.filter(Boolean).length;
    return answers.length >= ENOUGH && denied > answers.length * TOO_MANY;
  }
}
