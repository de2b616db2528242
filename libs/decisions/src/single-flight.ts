/** One identical question in flight: whoever asks meanwhile shares the call. Nothing is kept once it is answered. */
export class SingleFlight<T> {
  private readonly flights = new Map<string, Promise<T>>();

  /** `leader` is true for the one whose `call` was made. */
  async share(key: string, call: () => Promise<T>): Promise<{ readonly value: T; readonly leader: boolean }> {
    const flying = this.flights.get(key);
    if (flying !== undefined) return { value: await flying, leader: false };
    const flight = call();
    this.flights.set(key, flight);
    try {
      return { value: await flight, leader: true };
    } finally {
      this.flights.delete(key);
    }
  }
}
