/** What lies in Redis under one of our keys is not ours: another type, or a record that nobody can read. */
export class RegistryError extends Error {
  readonly code = 'REGISTRY_GARBAGE';
  override readonly name = 'RegistryError';
}
