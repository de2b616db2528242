import type { Config } from '#usher/config';

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EACCES: 'may not be used by this user',
  EADDRNOTAVAIL: 'is no address of this machine',
};

/** The sentence for a port that cannot be listened on, with the setting to change; undefined for other errors. */
export function listenComplaint(error: unknown, config: Config): string | undefined {
  const found = listenError(error);
  if (found === undefined) return undefined;
  const { code, port, address } = found;
  const setting = settingOf(port, config);
  const what = code === 'EADDRNOTAVAIL' ? `${address}:${port}` : `port ${port}`;
  return `${what} ${CAUSES[code]}${setting === undefined ? '' : `: set ${setting}`}`;
}

interface ListenError {
  readonly code: string;
  readonly port: number;
  readonly address?: string;
}

/** Node's own error, also where others wrapped it. */
function listenError(error: unknown): ListenError | undefined {
  if (error === null || typeof error !== 'object') return undefined;
  const { code, port, cause } = error as Partial<ListenError> & { cause?: unknown };
  const isOne = code !== undefined && Object.hasOwn(CAUSES, code) && port !== undefined;
  return isOne ? (error as ListenError) : listenError(cause);
}

function settingOf(port: number, { gateway, control, health }: Config): string | undefined {
  const settings = {
    'gateway.listen': gateway.listen,
    'control.listen': control.listen,
    'health.gateway': health.gateway,
    'health.worker': health.worker,
    'health.control': health.control,
  };
  return Object.entries(settings).find(([, address]) => address.endsWith(`:${port}`))?.[0];
}
