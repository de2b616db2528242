/** What one role of the process says about itself; answered from memory, at once. */
export interface HealthContribution {
  /** gateway, worker, control. */
  readonly name: string;
  /**
   * It can do its work: a gateway answers checks, a worker consumes. A broken backend and a broken Redis do not make
   * a gateway unready, or a load balancer would turn a portal's outage into a black screen.
   */
  ready(): boolean;
  /** What is broken while it goes on working: "backend portal is suspended", "Redis is away". Empty: nothing. */
  degraded(): readonly string[];
  /** Numbers and words for people. No secrets: this is read on all interfaces without a password. */
  details?(): Readonly<Record<string, unknown>>;
}
