export { cloneDatabase, connect, startTestServer, type TestServer } from './postgres.js';
export { parseMail, type SmtpSink, startSmtpSink } from './smtp-sink.js';
export { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
export { until } from './until.js';
