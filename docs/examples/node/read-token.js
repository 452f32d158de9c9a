// Reads an authorizer's access token with one GetItem and calls WeChat with it.
//
// Needs Node.js 20 and `npm install` in this folder. The variables are described in docs/consumers.md.

import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";

const {
  AUTHORIZERS_TABLE,
  AUTHORIZER_APPID,
  COMPONENT_APPID,
  WECHAT_API_BASE_URL = "https://api.weixin.qq.com",
} = process.env;

async function readToken(dynamodb) {
  const { Item } = await dynamodb.send(
    new GetItemCommand({
      TableName: AUTHORIZERS_TABLE,
      Key: { authorizer_appid: { S: AUTHORIZER_APPID }, component_appid: { S: COMPONENT_APPID } },
      // Named one by one: the policy for readers allows nothing else. `status` is a reserved word.
      ProjectionExpression: "#status, authorizer_access_token, access_token_expires_at",
      ExpressionAttributeNames: { "#status": "status" },
    }),
  );
  if (!Item) throw new Error(`${AUTHORIZER_APPID} has not authorized this platform`);
  if (Item.status.S !== "authorized") throw new Error(`${AUTHORIZER_APPID} has revoked its authorization`);
  if (!Item.authorizer_access_token) throw new Error(`${AUTHORIZER_APPID} has granted no API`);
  return {
    accessToken: Item.authorizer_access_token.S,
    expiresAt: Number(Item.access_token_expires_at.N),
  };
}

/** Stands for any call of WeChat on the merchant's behalf. */
async function followers(accessToken) {
  const query = new URLSearchParams({ access_token: accessToken });
  const response = await fetch(`${WECHAT_API_BASE_URL}/cgi-bin/user/get?${query}`, {
    signal: AbortSignal.timeout(10_000),
  });
  const answer = JSON.parse(await response.text());
  // WeChat answers 200 whatever happens; a call that went well may have no errcode.
  if (answer.errcode) throw new Error(`user/get: errcode ${answer.errcode}`);
  return answer.total;
}

try {
  const { accessToken, expiresAt } = await readToken(new DynamoDBClient());
  console.log(`access_token_expires_at: ${expiresAt}`);
  console.log(`user/get: ${await followers(accessToken)} followers`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
