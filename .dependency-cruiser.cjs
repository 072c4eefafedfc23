// The import rules of docs/architecture.md: apps → libs with I/O → domain and config.
const IO_LIBS = 'database|embedded-postgres|messaging|realtime|rate-limit|redis|providers|templates|telemetry';

/** Packages of vendors, by the folders under libs/providers/src that may import them. */
const VENDOR_CLIENTS = {
  email: 'nodemailer|smtp-server|@aws-sdk|@smithy',
  sms: 'twilio',
  push: 'web-push',
  http: 'undici',
  'http|webhook': 'standardwebhooks',
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'apps-do-not-import-each-other',
      severity: 'error',
      from: { path: '^apps/(api|worker)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'carillon-imports-only-the-start-of-the-apps',
      severity: 'error',
      from: { path: '^apps/carillon/' },
      to: { path: '^apps/(api|worker)/', pathNot: '/(start-(api|worker)|main|version)\\.ts$' },
    },
    { name: 'libs-do-not-import-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      name: 'io-libs-do-not-import-each-other',
      severity: 'error',
      from: { path: `^libs/(${IO_LIBS})/` },
      to: { path: `^libs/(${IO_LIBS})/`, pathNot: '^libs/$1/' },
    },
    {
      name: 'domain-imports-no-app-or-lib-and-config-only-domain',
      severity: 'error',
      from: { path: '^libs/(domain|config)/' },
      to: { path: '^(apps|libs)/', pathNot: '^libs/($1|domain)/' },
    },
    {
      name: 'domain-imports-only-zod-calendars-and-a-cache',
      severity: 'error',
      from: { path: '^libs/domain/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm'], pathNot: 'node_modules/(zod|temporal-polyfill|rrule-temporal|lru-cache)/' },
    },
    {
      name: 'libs-are-imported-by-name',
      severity: 'error',
      from: { path: '^(apps|test|libs/(?!testing))', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/[^/]+/src/(?!index\\.ts$)', pathNot: '^libs/$1/', dependencyTypesNot: ['local'] },
    },
    {
      name: 'deep-paths-into-libs',
      severity: 'error',
      from: { path: '^(apps|test)/' },
      to: { path: '^libs/[^/]+/src/.+', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { pathNot: '(^test/|^packages/[^/]+/test/|\\.spec\\.ts$|^libs/testing/)' },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'packages-import-nothing-of-the-server',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '^(apps|libs|test|node_modules/@types/node)/' },
    },
    {
      name: 'the-console-calls-the-api-by-the-client-only',
      severity: 'error',
      from: { path: '^apps/console/' },
      to: { path: '^(apps|libs|test)/', pathNot: '^apps/console/' },
    },
    {
      name: 'only-the-console-and-packages-import-react',
      severity: 'error',
      from: { pathNot: '^(apps/console|packages|test)/' },
      to: { path: 'node_modules/(react|react-dom|@mantine|@tanstack|react-router)/' },
    },
    {
      name: 'the-inbox-is-small',
      severity: 'error',
      from: { path: '^packages/client/src/inbox/' },
      to: {
        path: '^(packages/client/src/(?!inbox/|(api-url|carillon-error|redirects)\\.ts|generated/types)|node_modules/)',
      },
    },
    {
      name: 'the-inbox-component-imports-lit-and-the-inbox-of-the-client',
      severity: 'error',
      from: { path: '^packages/inbox/src/', pathNot: '/(react|vue)\\.ts$' },
      to: { path: '^(packages/(?!inbox/|client/src/inbox/)|node_modules/(?!lit(-html|-element)?/))' },
    },
    {
      name: 'embedded-postgres-is-for-carillon-and-tests',
      severity: 'error',
      from: { pathNot: '^(apps/carillon/|libs/(embedded-postgres|testing)/|test/|bench/)' },
      to: { path: '^libs/embedded-postgres/' },
    },
    {
      name: 'only-database-and-embedded-postgres-import-pg',
      severity: 'error',
      from: { pathNot: '(^libs/(database|embedded-postgres|testing)/|^test/|^bench/)' },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'only-database-imports-prisma',
      severity: 'error',
      from: { pathNot: '(^libs/(database|testing)/|^test/|^bench/)' },
      to: { path: 'node_modules/@prisma/' },
    },
    {
      name: 'only-redis-imports-the-redis-client',
      severity: 'error',
      from: { pathNot: '^(libs/redis/|services/|test/|bench/)' },
      to: { path: 'node_modules/ioredis/' },
    },
    {
      name: 'only-messaging-imports-kafkajs',
      severity: 'error',
      from: { pathNot: '^(libs/messaging/|services/|test/|bench/)' },
      to: { path: 'node_modules/kafkajs/' },
    },
    {
      name: 'only-templates-imports-handlebars-and-ajv',
      severity: 'error',
      // The editor of the console finds the variables of a template that is not stored yet.
      from: { pathNot: '^(libs/templates|test|apps/console/src/views/templates)/' },
      to: { path: 'node_modules/(handlebars|ajv)/' },
    },
    ...Object.entries(VENDOR_CLIENTS).map(([folder, packages]) => ({
      name: `vendor-clients-of-${folder}-stay-in-its-folder`,
      severity: 'error',
      from: { pathNot: `^(libs/providers/src/(${folder})/|libs/testing/|test/|packages/)` },
      to: { path: `node_modules/(${packages})/` },
    })),
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^dist/|^packages/[^/]+/dist/|generated/)' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'],
    },
  },
};
