// No SQL text contains a value. An expression that gets into a text of a tenant's query could set another tenant
// (docs/adr/0027), so values are parameters, and texts consist of constants.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const SQL = /^\s*(select|insert|update|delete|with|begin|set|create|grant|values|from|where|order by|listen|limit)\b/i;
/** A clause in the middle of a text: a word of SQL that no message of ours contains. */
const CLAUSE = /\$\d|\b(tenant_id|jsonb|_id\b|::(uuid|text|int|jsonb))/;

const sources = ['libs/database', 'libs/rate-limit', 'libs/realtime', 'apps'].flatMap((directory) =>
  readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .map((path) => join(directory, path))
    .filter((path) => path.endsWith('.ts') && !/\.spec\.ts$|\/generated\//.test(path)),
);

/** The functions with a text of SQL that contains a variable: a parameter or a local of a function. */
function variablesIn(path: string, text: string): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isPrisma = ts.isTaggedTemplateExpression(node.parent) && /Raw(<|$)/.test(node.parent.tag.getText());
    if (ts.isTemplateExpression(node) && !isPrisma && isSql(node))
      for (const { expression } of node.templateSpans)
        if (namesIn(expression).some((name) => isLocal(name, node))) found.push(functionAround(node));
    node.forEachChild(visit);
  };
  file.forEachChild(visit);
  return found;
}

function isSql(node: ts.TemplateExpression): boolean {
  const literals = [node.head, ...node.templateSpans.map(({ literal }) => literal)].map(({ text }) => text);
  return SQL.test(literals[0]!) || literals.some((literal) => CLAUSE.test(literal));
}

function namesIn(expression: ts.Node): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node))
      names.push(node.text);
    if (node.kind === ts.SyntaxKind.ThisKeyword) names.push('this');
    node.forEachChild(visit);
  };
  visit(expression);
  return names;
}

/** Whether a function around this node declares the name, as a parameter or a variable. */
function isLocal(name: string, node: ts.Node): boolean {
  if (name === 'this') return true;
  for (let at: ts.Node | undefined = node.parent; at; at = at.parent) {
    if (!ts.isFunctionLike(at)) continue;
    let declares = false;
    const visit = (inside: ts.Node): void => {
      if (
        (ts.isParameter(inside) || ts.isVariableDeclaration(inside) || ts.isBindingElement(inside)) &&
        declaring(inside.name, name)
      )
        declares = true;
      inside.forEachChild(visit);
    };
    at.forEachChild(visit);
    if (declares) return true;
  }
  return false;
}

const declaring = (binding: ts.BindingName, name: string): boolean => ts.isIdentifier(binding) && binding.text === name;

function functionAround(node: ts.Node): string {
  for (let at: ts.Node | undefined = node.parent; at; at = at.parent) {
    if ((ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) && at.name) return at.name.getText();
    if (ts.isVariableDeclaration(at) && at.initializer && ts.isFunctionLike(at.initializer)) return at.name.getText();
  }
  return '';
}

describe('texts of SQL', () => {
  it('contain no variables, except in these functions, whose variables are made from constants', () => {
    const found = sources.flatMap((path) =>
      variablesIn(path, readFileSync(join(ROOT, path), 'utf8')).map((name) => `${path.split('/').at(-1)} ${name}`),
    );
    expect([...new Set(found)].sort()).toEqual([
      // Numbers of parameters, and a query that is a constant.
      'audit-entry.ts auditInsert',
      // Conditions with the numbers of their parameters.
      'audit.store.ts read',
      // The names of roles, escaped; part of migrations.
      'create-logins.ts missingSteps',
      'create-logins.ts visibleTo',
      // A number of milliseconds.
      'database.ts begin',
      // Parts of one statement, which are constants.
      'delivery-context.ts contextsOf',
      'delivery-context.ts suppressionOf',
      // Names of states and counters from the table of states.
      'delivery-moves.ts updateCounters',
      // Parts of statements, for constants.
      'digest-record.ts digestMembers',
      'digest-record.ts lockedDigests',
      // Parts of statements, for constants.
      'emit-events.ts changedDeliveries',
      'emit-events.ts deliveryEvent',
      'emit-events.ts emit',
      'erase-events.ts erasedData',
      'erase-events.ts isOfNewRecipient',
      // The column of deliveries: notification_id or id.
      'erase-notifications.ts abandon',
      'erase-notifications.ts addressesTold',
      'erase-notifications.ts deliveryIds',
      'erase-notifications.ts inBatch',
      'erase-notifications.ts lateInboxItems',
      'erase-notifications.ts ownRows',
      'erase-notifications.ts suppressedAddresses',
      'erase-notifications.ts vendorTexts',
      'expired-rows.store.ts deleteFrom',
      // Names of kinds, tables and columns, which are constants.
      'export-statements.ts line',
      'export-statements.ts list',
      // The change is a key of a table of constants.
      'inbox.store.ts changeItems',
      'inbox.store.ts list',
      // Conditions with the numbers of their parameters.
      'letter-pages.ts countStatement',
      'letter-pages.ts listStatement',
      'letter-pages.ts toReplayStatement',
      'notification-list.ts examinedPage',
      'notification-list.ts limits',
      'notification-list.ts listStatement',
      // One of two conditions, which are constants.
      'notifications.store.ts deliveriesWithin',
      // Tables and columns of sealedColumns, which are constants.
      'platform-keys.ts keyIdInUse',
      // A condition, a constant.
      'policy-changes.store.ts staleOf',
      // Channels that the process registered at its start.
      'postgres-listener.ts connect',
      // The name of a common table expression, a constant.
      'receipt-statements.ts suppressAddresses',
      // Parts of the statement, for constants.
      'record-statement.ts recordStatement',
      'retention.store.ts withRows',
      // Tables and columns of sealedColumns.
      'rewrap-secrets.ts countSealed',
      'rewrap-secrets.ts readBatch',
      'rewrap-secrets.ts writeBatch',
      // Numbers of parameters, names of tables and columns, codes of the timeline, which are constants.
      'search-sources.ts address',
      'search-sources.ts byId',
      'search-sources.ts byKey',
      'search-sources.ts notificationsOf',
      'search-sources.ts reason',
      'search-sources.ts topicDeliveriesOf',
      // Conditions with the numbers of their parameters; names of common table expressions.
      'search-statement.ts deliveryConditions',
      'search-statement.ts notificationConditions',
      'search-statement.ts searchStatement',
      // Parts of one statement, which are constants.
      'selected-templates.ts headsOfOwner',
    ]);
  });

  it('are checked: a value in a text is found', () => {
    const list = (expression: string): string =>
      `const T = 'x'; function list(id: string) { return { text: \`select 1 from t where id = $\{${expression}}\` }; }`;
    expect(variablesIn('wrong.ts', list('id'))).toEqual(['list']);
    expect(variablesIn('right.ts', list('T'))).toEqual([]);
  });
});
