export { longestHold } from './longest-hold.js';
export { cloneDatabase, connect, dropDatabase, startServer, startTestServer, type TestServer } from './postgres.js';
export { parseMail, type SmtpSink, type SmtpStep, startSmtpSink } from './smtp-sink.js';
export { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
export { until } from './until.js';
export { untilWaitingForLock } from './until-waiting.js';
export {
  type Behaviour,
  type Received,
  startVendor,
  type Vendor,
  type VendorDescription,
} from './vendors/http-vendor.js';
export { browserSubscription } from './vendors/push-vendors.js';
export {
  type Report,
  type ReportKind,
  type ReportOptions,
  reporters,
  sendgridReport,
  snsReport,
  UNTRUSTED_TLS,
} from './vendors/receipts.js';
export { vendors } from './vendors/registry.js';
