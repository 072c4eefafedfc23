// Which setting to check after an error of the connection to Redis or Kafka.

/** Codes of OpenSSL for a certificate whose CA is not trusted. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** The server refuses our certificate, or that there is none. */
const CERTIFICATE_REFUSED = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA)/;
/** The port does not answer with TLS. */
const NO_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

/** What Node says when the server closes the connection instead. */
const BEFORE_TLS = /disconnected before secure TLS connection/;

const ADDRESS = { KAFKA: 'KAFKA_BROKERS', REDIS: 'REDIS_URL' } as const;
const LOGIN = {
  KAFKA: 'KAFKA_USERNAME, KAFKA_PASSWORD and KAFKA_SASL_MECHANISM',
  REDIS: 'the user and the password in REDIS_URL',
} as const;

type Service = 'KAFKA' | 'REDIS';

/** Chooses which errors of an outage are reported: the first one, and the first for each setting to check. */
export class OutageReports {
  private readonly advice = new Set<string>();

  constructor(private readonly service: Service) {}

  isNew(error: unknown): boolean {
    const advice = connectionAdvice(this.service, error);
    if (this.advice.has(advice) || (advice === '' && this.advice.size > 0)) return false;
    this.advice.add(advice);
    return true;
  }

  /** After the end of an outage. */
  clear(): void {
    this.advice.clear();
  }
}

/** The end of a log line about `error`. Empty if no setting is known to cause it. */
export function connectionAdvice(service: Service, error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    const advice = adviceFor(service, each);
    if (advice) return `; check ${advice}`;
  }
  return '';
}

function adviceFor(service: Service, error: Error): string | undefined {
  const code = String((error as { code?: unknown }).code);
  if (UNTRUSTED.has(code)) return `${service}_TLS_CA_FILE: it must have the CA of the certificate of the server`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${ADDRESS[service]}: the certificate of the server has another host name`;
  if (CERTIFICATE_REFUSED.test(code)) return `${service}_TLS_CERT_FILE: the server does not accept our certificate`;
  if (NO_TLS.has(code) || BEFORE_TLS.test(error.message))
    return `${service === 'KAFKA' ? 'KAFKA_TLS' : 'REDIS_URL'}: the server does not use TLS at this port`;
  const isLoginRefused =
    service === 'KAFKA' ? error.name === 'KafkaJSSASLAuthenticationError' : /^(WRONGPASS|NOAUTH)/.test(error.message);
  return isLoginRefused ? LOGIN[service] : undefined;
}
