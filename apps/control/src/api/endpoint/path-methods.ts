/** Remembers routes as they are registered, to say which methods a path takes. */
export class PathMethods {
  readonly #routes: { readonly pattern: RegExp; readonly path: string; readonly method: string }[] = [];

  add(method: string, path: string): void {
    const parts = path.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : escaped(part)));
    this.#routes.push({ method, path, pattern: new RegExp(`^${parts.join('/')}/?$`) });
  }

  /** Empty: there is no such path. */
  at(path: string): string[] {
    const methods = this.#routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(methods)].sort();
  }

  /** All routes: `GET /api/v1/sessions/:edge/:id`. */
  all(): string[] {
    return this.#routes.map(({ method, path }) => `${method} ${path}`).sort();
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
