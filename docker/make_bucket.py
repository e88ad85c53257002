"""Make a bucket on the S3 server that `AWS_ENDPOINT_URL_S3` names, unless it is there.

Usage: python make_bucket.py <bucket>
"""

import sys

import boto3

bucket = sys.argv[1]
s3 = boto3.client("s3")
if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
    s3.create_bucket(Bucket=bucket)
