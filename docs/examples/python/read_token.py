"""Reads an authorizer's access token with one GetItem and calls WeChat with it.

Needs boto3. The variables are described in docs/consumers.md.
"""

import json
import os
import sys
import urllib.parse
import urllib.request

import boto3

# Named one by one: the policy for readers allows nothing else. `status` is a reserved word.
PROJECTION = "#status, authorizer_access_token, access_token_expires_at"


def read_token(table, component_appid, authorizer_appid):
    item = table.get_item(
        Key={"authorizer_appid": authorizer_appid, "component_appid": component_appid},
        ProjectionExpression=PROJECTION,
        ExpressionAttributeNames={"#status": "status"},
    ).get("Item")
    if item is None:
        sys.exit(f"{authorizer_appid} has not authorized this platform")
    if item["status"] != "authorized":
        sys.exit(f"{authorizer_appid} has revoked its authorization")
    if "authorizer_access_token" not in item:
        sys.exit(f"{authorizer_appid} has granted no API")
    return item["authorizer_access_token"], int(item["access_token_expires_at"])


def followers(base_url, access_token):
    """Stands for any call of WeChat on the merchant's behalf."""
    query = urllib.parse.urlencode({"access_token": access_token})
    with urllib.request.urlopen(f"{base_url}/cgi-bin/user/get?{query}", timeout=10) as response:
        return json.load(response)


def main():
    authorizer_appid = os.environ["AUTHORIZER_APPID"]
    base_url = os.environ.get("WECHAT_API_BASE_URL", "https://api.weixin.qq.com")
    # boto3 by itself looks at AWS_DEFAULT_REGION only; None leaves it at that.
    dynamodb = boto3.resource("dynamodb", region_name=os.environ.get("AWS_REGION"))
    table = dynamodb.Table(os.environ["AUTHORIZERS_TABLE"])

    access_token, expires_at = read_token(table, os.environ["COMPONENT_APPID"], authorizer_appid)
    print(f"access_token_expires_at: {expires_at}")

    answer = followers(base_url, access_token)
    # WeChat answers 200 whatever happens; a call that went well may have no errcode.
    if answer.get("errcode", 0) != 0:
        sys.exit(f"user/get: errcode {answer['errcode']}")
    print(f"user/get: {answer['total']} followers")


main()
