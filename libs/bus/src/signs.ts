import type { RequestEnvelope } from './envelope.js';

/** Who is due is looked at so often, ms. */
const LOOK_MS = 50;
/** Of the time within which an asker wants to hear of its request it hears after each such part. */
const PARTS = 4;

type Watched = Pick<RequestEnvelope, 'id' | 'from' | 'until' | 'heard'>;

/**
 * Tells askers again and again that their requests are being worked at: of a server that died they hear nothing. Only of
 * requests that want it (`heard`), and take long enough.
 */
export class Signs {
  /** When each is due, by performance.now(). */
  readonly #atWork = new Map<Watched, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly tell: (request: Watched) => void) {}

  begin(request: Watched): void {
    if (!(Number(request.heard) > 0)) return;
    this.#atWork.set(request, performance.now() + everyOf(request));
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  end(request: Watched): void {
    if (this.#atWork.delete(request) && this.#atWork.size === 0) this.stop();
  }

  /** Nobody is told of anything any more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#atWork.clear();
  }

  #look(): void {
    const now = performance.now();
    for (const [request, dueAt] of this.#atWork) {
      if (now < dueAt) continue;
      this.#atWork.set(request, now + everyOf(request));
      this.tell(request);
    }
  }
}

const everyOf = ({ heard = 0 }: Watched): number => heard / PARTS;
