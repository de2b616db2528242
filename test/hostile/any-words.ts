import fc from 'fast-check';
import { FIELDS, HEADER_NAMES, HEADER_VALUES, MARKS, NO_WORDS, VALUES, type Words } from './words.js';

/** Two viewers at one server; they say the same but for one part. */
export interface Pair {
  readonly one: Words;
  readonly other: Words;
}

/** Often enough to be met, long enough to be more than a field, a line or a request may hold. */
const LONG = ['x', '%', '&a=', '../', '"'].map((text) => text.repeat(9_000 / text.length));
const ONE_IN = 2_000;
const NAMES_OF_PATHS = ['live', 'a001', 'vip', 'free', 'index.m3u8', '1.ts'];
const COOKIES = ['sid=1', 'stream_token=t', 'sid=1; stream_token=t', 'sid="1"', 'stream_token=u'];

type Parts = { readonly [Part in keyof Words]: (draw: Draw) => Words[Part] };

/** Draws by index, which is what makes a hundred thousand of them cheap. */
class Draw {
  constructor(private readonly random: fc.Random) {}

  below(count: number): number {
    return this.random.nextInt(0, count - 1);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** Up to so many of them. */
  some<T>(most: number, next: () => T): T[] {
    const drawn: T[] = [];
    for (let left = this.below(most + 1); left > 0; left -= 1) drawn.push(next());
    return drawn;
  }

  pair(): string {
    return `${this.of(FIELDS)}=${this.of(VALUES)}`;
  }

  piece(): string {
    if (this.below(ONE_IN) === 0) return this.of(LONG);
    switch (this.below(8)) {
      case 0:
        return String.fromCharCode(this.below(256));
      case 1:
        return this.of(FIELDS);
      case 2:
        return this.of(VALUES);
      case 3:
      case 4:
        return this.pair();
      default:
        return this.of(MARKS);
    }
  }

  phrase(): string {
    return this.some(5, () => this.piece()).join('');
  }

  /** What is not there is read in ways of its own. */
  sometimes(next: () => string): string {
    return this.below(3) === 0 ? next() : '';
  }

  pathPiece(): string {
    return this.below(2) === 0 ? this.of(NAMES_OF_PATHS) : this.of(MARKS);
  }
}

const PARTS: Parts = {
  query: (draw) => draw.some(5, () => (draw.below(2) === 0 ? draw.pair() : draw.piece())).join('&'),
  path: (draw) =>
    draw.below(2) === 0
      ? `/live/${draw.some(5, () => draw.pathPiece()).join('')}`
      : `/${draw.some(5, () => draw.pathPiece()).join('/')}`,
  userAgent: (draw) => draw.sometimes(() => draw.phrase()),
  referer: (draw) => draw.sometimes(() => draw.phrase()),
  host: (draw) => draw.sometimes(() => draw.phrase()),
  user: (draw) => draw.sometimes(() => draw.phrase()),
  password: (draw) => draw.sometimes(() => draw.phrase()),
  token: (draw) => draw.sometimes(() => draw.phrase()),
  cookie: (draw) => draw.sometimes(() => (draw.below(2) === 0 ? draw.of(COOKIES) : draw.phrase())),
  headers: (draw) =>
    draw.some(3, () => [draw.of(HEADER_NAMES), draw.below(2) === 0 ? draw.of(HEADER_VALUES) : draw.phrase()]),
};
const NAMES = Object.keys(PARTS) as (keyof Words)[];

/** Of fast-check's own arbitraries a record of so many parts takes most of the time: this one is drawn by hand. */
class AnyPair extends fc.Arbitrary<Pair> {
  generate(random: fc.Random): fc.Value<Pair> {
    const draw = new Draw(random);
    const one: Words = {
      query: PARTS.query(draw),
      path: PARTS.path(draw),
      userAgent: PARTS.userAgent(draw),
      referer: PARTS.referer(draw),
      host: PARTS.host(draw),
      user: PARTS.user(draw),
      password: PARTS.password(draw),
      token: PARTS.token(draw),
      cookie: PARTS.cookie(draw),
      headers: PARTS.headers(draw),
    };
    const part = draw.of(NAMES);
    return new fc.Value({ one, other: { ...one, [part]: PARTS[part](draw) } }, undefined);
  }

  canShrinkWithoutContext(_: unknown): _ is Pair {
    return false;
  }

  /** Without one part after the other: what is left is what it takes. */
  shrink({ one, other }: Pair): fc.Stream<fc.Value<Pair>> {
    const simpler = NAMES.filter((name) => one[name] !== NO_WORDS[name] || other[name] !== NO_WORDS[name])
      .filter((name) => one[name].length + other[name].length > 0)
      .map((name) => {
        const none = { [name]: NO_WORDS[name] };
        return new fc.Value({ one: { ...one, ...none }, other: { ...other, ...none } }, undefined);
      });
    return fc.Stream.of(...simpler);
  }
}

/** What hostile viewers say. */
export const anyPair: fc.Arbitrary<Pair> = new AnyPair();
