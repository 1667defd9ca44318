"""The official SDK, with keys that are none and another base URL."""

import io
import os
import urllib.request

import boto3
import botocore.exceptions
from botocore.config import Config

base, dummy = os.environ["BASE_URL"], os.environ["DUMMY"]


def client(service, collection):
    return boto3.client(
        service,
        endpoint_url=f"{base}/{collection}",
        region_name="eu-central-1",
        aws_access_key_id="AKIDOFTHEAPP",
        aws_secret_access_key=dummy,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


s3 = client("s3", "s3")
s3.create_bucket(
    Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
)
keys = ["a b", "a+b", "a%20b", "\u1234/\u00e9", "x//y", "q?a=1&b", "(c)*'!~$,;:@=", "t/.x"]
for key in keys:
    s3.put_object(Bucket="shop", Key=key, Body=key.encode(), Metadata={"about": "two  spaces"})
for key in keys:
    found = s3.get_object(Bucket="shop", Key=key)
    assert found["Body"].read() == key.encode(), key
listed = s3.list_objects_v2(Bucket="shop")
assert sorted(o["Key"] for o in listed["Contents"]) == sorted(keys), listed
some = s3.list_objects_v2(Bucket="shop", Prefix="a+", Delimiter="/")
assert [o["Key"] for o in some["Contents"]] == ["a+b"], some

# More than is ever kept, in parts and at once.
large = os.urandom(12 << 20)
s3.upload_fileobj(io.BytesIO(large), "shop", "large")
assert s3.get_object(Bucket="shop", Key="large")["Body"].read() == large


def pieces():
    for start in range(0, len(large), 1 << 16):
        yield large[start : start + (1 << 16)]


# An app without an SDK and without a length.
request = urllib.request.Request(
    f"{base}/s3/shop/streamed",
    data=pieces(),
    method="PUT",
    headers={"Content-Type": "application/octet-stream"},
)
with urllib.request.urlopen(request) as answer:
    assert answer.status == 200, answer.status
assert s3.get_object(Bucket="shop", Key="streamed")["Body"].read() == large

# A query in an order of its own.
query = "prefix=a%20b&list-type=2&delimiter=%2F"
with urllib.request.urlopen(f"{base}/s3/shop?{query}") as answer:
    assert "<Key>a b</Key>" in answer.read().decode()

identity = client("sts", "sts").get_caller_identity()
assert identity["Account"] == "123456789012", identity
tables = client("dynamodb", "dynamodb")
tables.create_table(
    TableName="orders",
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    BillingMode="PAY_PER_REQUEST",
)
tables.put_item(TableName="orders", Item={"id": {"S": "1"}, "name": {"S": "\u00e9 x"}})
item = tables.get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]
assert item["name"]["S"] == "\u00e9 x", item

# The check is one: by another key the same call is refused.
try:
    client("s3", "wrong").list_buckets()
except botocore.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "SignatureDoesNotMatch", error
else:
    raise AssertionError("a wrong signature was taken")

print("boto3", boto3.__version__, len(keys), "odd keys, 12 MiB in parts and streamed, sts, dynamodb")
