/** What a switch is on: a backend, or a route that has a name. */
export type SwitchKind = 'backend' | 'route';

/** Nobody is asked; what stands in is the configured fail mode (`maintenance`), or this one whatever is configured. */
export type SwitchMode = 'maintenance' | 'open' | 'stale' | 'closed';

/** A backend or route that an operator took out of use until a time. Instants are cluster time, ms. */
export interface Switch {
  readonly kind: SwitchKind;
  readonly name: string;
  readonly mode: SwitchMode;
  readonly since: number;
  readonly until: number;
  /** Who set it. */
  readonly by: string;
  /** For people: why. */
  readonly reason: string;
}

/** The cluster's switches as this process knows them, answered from memory. What is over is no longer one. */
export interface Switches {
  ofBackend(backend: string): Switch | undefined;
  /** Undefined for a route without a name: it cannot be switched. */
  ofRoute(route: string | undefined): Switch | undefined;
}

/** Where nothing is switched. */
export const NO_SWITCHES: Switches = Object.freeze({
  ofBackend: () => undefined,
  ofRoute: () => undefined,
});
