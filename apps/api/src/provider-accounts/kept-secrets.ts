import { validationFailed } from '#domain';

type Credentials = Readonly<Record<string, unknown>>;

/** Fields that say where a provider sends the secrets. */
const DESTINATIONS = ['host', 'port', 'tls', 'endpoint', 'url'];

/**
 * The credentials of a change. A secret that comes back as the API shows it, masked, keeps its stored value. Throws
 * `validation_failed` if such a secret would then be sent to another place: who may change an account could read it.
 */
export function withKeptSecrets(given: Credentials, shown: Credentials, stored: Credentials): Record<string, unknown> {
  const kept = Object.keys(stored).filter((name) => shown[name] !== stored[name] && given[name] === shown[name]);
  const moved = DESTINATIONS.filter((name) => given[name] !== stored[name]);
  if (kept.length > 0 && moved.length > 0)
    throw validationFailed(
      kept.map((name) => ({
        pointer: `/credentials/${name}`,
        code: 'required',
        message: `must be entered again, because ${moved.join(' and ')} changes`,
      })),
    );
  return { ...given, ...Object.fromEntries(kept.map((name) => [name, stored[name]])) };
}
