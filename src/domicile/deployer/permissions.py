"""What Terraform's AWS provider 5.100.0 calls for each type of resource, as IAM's actions.

An ARN is named as far as it follows from a resource's arguments. What AWS numbers by itself (keys, AppConfig's parts,
mappings, networks) is named by its type, and what AWS can't confine at all stands for "*".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """Actions of one service on resources.

    ``resources`` are patterns of what follows an ARN's account, or whole ARNs, with arguments of the resource in
    braces, or ``table`` (of a replica) and ``on_bus`` (of a rule); none means "*". ``through`` are services whose use
    of a key alone is allowed (``kms:ViaService``), of the stack's Region or ``in_any_region``, and ``passed_to`` those
    that a role may be passed to.
    """

    service: str
    resources: tuple[str, ...]
    actions: str
    through: tuple[str, ...] = ()
    in_any_region: bool = False
    passed_to: tuple[str, ...] = ()


_NETWORK = (
    *("vpc/*", "subnet/*", "route-table/*", "internet-gateway/*", "natgateway/*", "elastic-ip/*"),
    *("security-group/*", "security-group-rule/*", "vpc-endpoint/*"),
)
_IN_APPLICATION = ("application/*",)
_TABLE_READ = "DescribeTable DescribeContinuousBackups DescribeTimeToLive ListTagsOfResource"
_TABLE_WRITE = "CreateTable UpdateTable DeleteTable UpdateContinuousBackups UpdateTimeToLive TagResource UntagResource"
# What DynamoDB's guide on permissions of Global Tables names for who makes and removes a replica.
_REPLICATION = (
    "CreateTableReplica DeleteTableReplica Query Scan GetItem PutItem UpdateItem DeleteItem BatchWriteItem UpdateTable"
)
# The roles that DynamoDB and Application Auto Scaling make for themselves with the account's first such table.
_REPLICATION_ROLE = Grant(
    "iam",
    ("role/aws-service-role/replication.dynamodb.amazonaws.com/AWSServiceRoleForDynamoDBReplication",),
    "CreateServiceLinkedRole",
)
_SCALING_ROLE = Grant(
    "iam",
    (
        "role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    ),
    "CreateServiceLinkedRole",
)
_KEY_USE = "CreateGrant Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
_FUNCTION = ("function:{function_name}", "function:{function_name}:*")
_RULE = ("rule/{on_bus}{rule}",)
_ALARM = Grant(
    "cloudwatch", ("alarm:{alarm_name}",), "PutMetricAlarm DeleteAlarms ListTagsForResource TagResource UntagResource"
)

GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "aws_appautoscaling_policy": (
        Grant("application-autoscaling", ("scalable-target/*",), "PutScalingPolicy DeleteScalingPolicy"),
        Grant("application-autoscaling", (), "DescribeScalingPolicies"),
        Grant("cloudwatch", ("alarm:TargetTracking-{resource_id}*",), "PutMetricAlarm DeleteAlarms DescribeAlarms"),
    ),
    "aws_appautoscaling_target": (
        Grant(
            "application-autoscaling",
            ("scalable-target/*",),
            "RegisterScalableTarget DeregisterScalableTarget ListTagsForResource TagResource UntagResource",
        ),
        Grant("application-autoscaling", (), "DescribeScalableTargets"),
        _SCALING_ROLE,
    ),
    "aws_appconfig_application": (
        Grant("appconfig", (), "CreateApplication"),
        Grant(
            "appconfig",
            _IN_APPLICATION,
            "GetApplication DeleteApplication ListTagsForResource TagResource UntagResource",
        ),
    ),
    "aws_appconfig_configuration_profile": (
        Grant(
            "appconfig",
            _IN_APPLICATION,
            "CreateConfigurationProfile GetConfigurationProfile UpdateConfigurationProfile DeleteConfigurationProfile",
        ),
    ),
    "aws_appconfig_deployment": (
        Grant("appconfig", (*_IN_APPLICATION, "deploymentstrategy/*"), "StartDeployment GetDeployment"),
    ),
    "aws_appconfig_deployment_strategy": (
        Grant("appconfig", (), "CreateDeploymentStrategy"),
        Grant(
            "appconfig",
            ("deploymentstrategy/*",),
            "GetDeploymentStrategy UpdateDeploymentStrategy DeleteDeploymentStrategy ListTagsForResource TagResource "
            "UntagResource",
        ),
    ),
    "aws_appconfig_environment": (
        Grant("appconfig", _IN_APPLICATION, "CreateEnvironment GetEnvironment DeleteEnvironment"),
    ),
    "aws_appconfig_hosted_configuration_version": (
        Grant(
            "appconfig",
            _IN_APPLICATION,
            "CreateHostedConfigurationVersion GetHostedConfigurationVersion DeleteHostedConfigurationVersion",
        ),
    ),
    # A strong table. CloudFormation makes it with the caller's permissions, in all its Regions from this one; its guide
    # on AWS::DynamoDB::GlobalTable names them.
    "aws_cloudformation_stack": (
        Grant(
            "cloudformation",
            ("stack/{name}/*",),
            "CreateStack UpdateStack DeleteStack DescribeStacks DescribeStackEvents GetTemplate",
        ),
        Grant(
            "dynamodb",
            ("arn:{partition}:dynamodb:*:{account}:table/{name}",),
            f"{_TABLE_READ} {_TABLE_WRITE} {_REPLICATION} CreateGlobalTableWitness DeleteGlobalTableWitness "
            "DescribeContributorInsights DescribeTableReplicaAutoScaling DisableKinesisStreamingDestination "
            "EnableKinesisStreamingDestination UpdateContributorInsights UpdateTableReplicaAutoScaling",
        ),
        Grant("dynamodb", (), "ListTables"),
        Grant(
            "application-autoscaling",
            ("arn:{partition}:application-autoscaling:*:{account}:scalable-target/*",),
            "RegisterScalableTarget DeregisterScalableTarget PutScalingPolicy DeleteScalingPolicy PutScheduledAction "
            "DeleteScheduledAction",
        ),
        Grant("application-autoscaling", (), "DescribeScalableTargets DescribeScalingPolicies"),
        Grant("kms", ("arn:{partition}:kms:*:{account}:key/*",), "DescribeKey"),
        Grant("kms", ("arn:{partition}:kms:*:{account}:key/*",), _KEY_USE, through=("dynamodb",), in_any_region=True),
        _REPLICATION_ROLE,
        _SCALING_ROLE,
    ),
    "aws_cloudwatch_dashboard": (
        Grant(
            "cloudwatch",
            ("arn:{partition}:cloudwatch::{account}:dashboard/{dashboard_name}",),
            "PutDashboard GetDashboard DeleteDashboards",
        ),
    ),
    "aws_cloudwatch_event_bus": (
        Grant(
            "events",
            ("event-bus/{name}",),
            "CreateEventBus DescribeEventBus DeleteEventBus ListTagsForResource TagResource UntagResource",
        ),
    ),
    "aws_cloudwatch_event_bus_policy": (Grant("events", (), "PutPermission RemovePermission"),),
    "aws_cloudwatch_event_rule": (
        Grant(
            "events",
            ("rule/{on_bus}{name}",),
            "PutRule DescribeRule DeleteRule ListTagsForResource TagResource UntagResource",
        ),
    ),
    "aws_cloudwatch_event_target": (Grant("events", _RULE, "PutTargets RemoveTargets ListTargetsByRule"),),
    "aws_cloudwatch_log_group": (
        Grant("logs", (), "DescribeLogGroups"),
        Grant(
            "logs",
            ("log-group:{name}", "log-group:{name}:*"),
            "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy AssociateKmsKey DisassociateKmsKey "
            "ListTagsForResource TagResource UntagResource",
        ),
    ),
    "aws_cloudwatch_metric_alarm": (
        _ALARM,
        Grant("cloudwatch", ("alarm:*",), "DescribeAlarms"),
    ),
    "aws_default_security_group": (),  # what aws_security_group needs
    "aws_dynamodb_table": (
        Grant("dynamodb", ("table/{name}",), f"{_TABLE_READ} {_TABLE_WRITE}"),
        Grant("kms", ("key/*", "alias/aws/dynamodb"), "DescribeKey"),
    ),
    "aws_dynamodb_table_replica": (
        Grant("dynamodb", ("table/{table}",), f"{_TABLE_READ} {_TABLE_WRITE} {_REPLICATION}"),
        Grant("dynamodb", ("{global_table_arn}",), "DescribeTable UpdateTable"),
        Grant("kms", ("key/*", "alias/aws/dynamodb"), "DescribeKey"),
        # The request goes to the primary, and no page of AWS says which of the two Regions' DynamoDB uses the key here.
        Grant("kms", ("key/*",), _KEY_USE, through=("dynamodb",), in_any_region=True),
        _REPLICATION_ROLE,
    ),
    "aws_eip": (
        Grant("ec2", ("elastic-ip/*",), "AllocateAddress ReleaseAddress"),
        Grant("ec2", ("elastic-ip/*", "network-interface/*"), "DisassociateAddress"),
        Grant("ec2", (), "DescribeAddresses DescribeAddressesAttribute"),
    ),
    "aws_iam_policy": (
        Grant(
            "iam",
            ("policy/{name}",),
            "CreatePolicy GetPolicy DeletePolicy CreatePolicyVersion GetPolicyVersion DeletePolicyVersion "
            "ListPolicyVersions TagPolicy UntagPolicy",
        ),
    ),
    "aws_iam_role": (
        Grant(
            "iam",
            ("role/{name}",),
            "CreateRole GetRole UpdateAssumeRolePolicy DeleteRole ListRolePolicies "
            "ListAttachedRolePolicies ListInstanceProfilesForRole TagRole UntagRole",
        ),
        Grant("iam", ("role/{name}",), "PassRole", passed_to=("events", "lambda")),
    ),
    "aws_iam_role_policy": (Grant("iam", ("role/{role}",), "PutRolePolicy GetRolePolicy DeleteRolePolicy"),),
    "aws_iam_user": (  # a courier's, which goes with the keys that `domicile bridge credentials` made
        Grant(
            "iam",
            ("user/{name}",),
            "CreateUser GetUser DeleteUser ListGroupsForUser ListUserPolicies ListAttachedUserPolicies "
            "ListAccessKeys DeleteAccessKey ListSSHPublicKeys ListMFADevices DeleteLoginProfile "
            "ListSigningCertificates ListServiceSpecificCredentials TagUser UntagUser",
        ),
        Grant("iam", (), "ListVirtualMFADevices"),
    ),
    "aws_iam_user_policy": (Grant("iam", ("user/{user}",), "PutUserPolicy GetUserPolicy DeleteUserPolicy"),),
    "aws_internet_gateway": (
        Grant(
            "ec2",
            ("internet-gateway/*", "vpc/*"),
            "CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway",
        ),
        Grant("ec2", (), "DescribeInternetGateways"),
    ),
    "aws_kinesis_stream": (
        Grant(
            "kinesis",
            ("stream/{name}",),
            "CreateStream DescribeStreamSummary DeleteStream IncreaseStreamRetentionPeriod "
            "DecreaseStreamRetentionPeriod ListTagsForStream AddTagsToStream RemoveTagsFromStream",
        ),
        Grant(
            "kinesis",
            ("stream/{name}", "arn:{partition}:kms:{region}:{account}:key/*"),
            "StartStreamEncryption StopStreamEncryption",
        ),
        Grant("kinesis", (), "DescribeLimits UpdateShardCount UpdateStreamMode"),
    ),
    "aws_kms_alias": (
        Grant("kms", ("{name}", "key/*"), "CreateAlias UpdateAlias DeleteAlias"),
        Grant("kms", (), "ListAliases"),
    ),
    "aws_kms_key": (
        Grant("kms", (), "CreateKey"),
        Grant(
            "kms",
            ("key/*",),
            "DescribeKey GetKeyPolicy PutKeyPolicy GetKeyRotationStatus EnableKeyRotation DisableKeyRotation "
            "UpdateKeyDescription ScheduleKeyDeletion ListResourceTags TagResource UntagResource",
        ),
        Grant(  # tables, streams and secrets are made with the caller's permission to use their key
            "kms",
            ("key/*",),
            _KEY_USE,
            through=("dynamodb", "kinesis", "secretsmanager"),
        ),
    ),
    "aws_lambda_alias": (Grant("lambda", _FUNCTION, "CreateAlias GetAlias UpdateAlias DeleteAlias"),),
    "aws_lambda_event_source_mapping": (
        Grant("lambda", (), "CreateEventSourceMapping"),
        Grant(
            "lambda",
            ("event-source-mapping:*",),
            "GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping ListTags TagResource "
            "UntagResource",
        ),
    ),
    "aws_lambda_function": (
        Grant(
            "lambda",
            _FUNCTION,
            "CreateFunction GetFunction GetFunctionConfiguration GetFunctionCodeSigningConfig UpdateFunctionCode "
            "UpdateFunctionConfiguration PublishVersion ListVersionsByFunction DeleteFunction ListTags TagResource "
            "UntagResource",
        ),
    ),
    "aws_nat_gateway": (
        Grant("ec2", ("natgateway/*", "subnet/*", "elastic-ip/*"), "CreateNatGateway DeleteNatGateway"),
        Grant("ec2", (), "DescribeNatGateways"),
    ),
    "aws_route": (Grant("ec2", ("route-table/*",), "CreateRoute ReplaceRoute DeleteRoute"),),
    "aws_route_table": (
        Grant("ec2", ("route-table/*", "vpc/*"), "CreateRouteTable DeleteRouteTable"),
        Grant("ec2", (), "DescribeRouteTables"),
    ),
    "aws_route_table_association": (
        Grant("ec2", ("route-table/*", "subnet/*"), "AssociateRouteTable DisassociateRouteTable"),
    ),
    "aws_secretsmanager_secret": (
        Grant(
            "secretsmanager",
            ("secret:{name}", "secret:{name}-??????"),  # made by the name, then known by the suffix,
            "CreateSecret DescribeSecret GetResourcePolicy UpdateSecret DeleteSecret TagResource UntagResource",
        ),
    ),
    "aws_security_group": (
        Grant(
            "ec2",
            ("security-group/*", "security-group-rule/*", "vpc/*"),
            "CreateSecurityGroup DeleteSecurityGroup AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress "
            "RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
        ),
        Grant("ec2", (), "DescribeSecurityGroups DescribeSecurityGroupRules DescribeNetworkInterfaces"),
        # What Lambda asks in the caller's name, and what it leaves behind in a VPC.
        Grant("ec2", ("vpc/*",), "GetSecurityGroupsForVpc"),
        Grant("ec2", ("network-interface/*",), "DeleteNetworkInterface"),
    ),
    "aws_sqs_queue": (
        Grant(
            "sqs",
            ("{name}",),
            "CreateQueue GetQueueAttributes SetQueueAttributes DeleteQueue ListQueueTags TagQueue UntagQueue",
        ),
    ),
    "aws_subnet": (
        Grant("ec2", ("subnet/*", "vpc/*"), "CreateSubnet DeleteSubnet"),
        Grant("ec2", (), "DescribeSubnets DescribeAvailabilityZones"),
    ),
    "aws_vpc": (
        Grant("ec2", ("vpc/*",), "CreateVpc ModifyVpcAttribute DescribeVpcAttribute DeleteVpc"),
        Grant("ec2", _NETWORK, "CreateTags DeleteTags"),
        Grant("ec2", (), "DescribeVpcs DescribeNetworkAcls"),
    ),
    "aws_vpc_endpoint": (
        Grant(
            "ec2",
            ("vpc-endpoint/*", "vpc/*", "route-table/*", "subnet/*", "security-group/*"),
            "CreateVpcEndpoint ModifyVpcEndpoint",
        ),
        Grant("ec2", ("vpc-endpoint/*",), "DeleteVpcEndpoints"),
        # The zone with a service's own name, which belongs to AWS; Route 53 has asked for the VPC too.
        Grant(
            "route53",
            ("arn:{partition}:route53:::hostedzone/*", "arn:{partition}:ec2:{region}:{account}:vpc/*"),
            "AssociateVPCWithHostedZone",
        ),
        Grant("ec2", (), "DescribeVpcEndpoints DescribePrefixLists"),
    ),
}
