-- Step 1: every table, as the declarations in appliance/api have them.
-- Written by `python -m appliance.store.migrations`; frozen with the first release.

CREATE TABLE "meta" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "access_token" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "role" TEXT COLLATE NOCASE NOT NULL,
    "scope" TEXT NOT NULL,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "user_uuid" TEXT COLLATE NOCASE,
    "expired_date" REAL NOT NULL,
    "create_date" REAL NOT NULL,
    "digest" TEXT COLLATE NOCASE NOT NULL UNIQUE,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "access_token_name" ON "access_token" ("name");

CREATE INDEX "access_token_account_uuid" ON "access_token" ("account_uuid");

CREATE INDEX "access_token_user_uuid" ON "access_token" ("user_uuid");

CREATE INDEX "access_token_expired_date" ON "access_token" ("expired_date");

CREATE TABLE "account" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL UNIQUE,
    "description" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "role" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "password_hash" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "account_resource_ref" (
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "owner_account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "permission" INTEGER NOT NULL,
    "is_shared" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "account_resource_ref_account_uuid" ON "account_resource_ref" ("account_uuid");

CREATE TABLE "audit_entry" (
    "sequence" INTEGER NOT NULL PRIMARY KEY,
    "create_date" REAL NOT NULL,
    "account_uuid" TEXT COLLATE NOCASE,
    "user_uuid" TEXT COLLATE NOCASE,
    "token_uuid" TEXT COLLATE NOCASE,
    "session_digest" TEXT COLLATE NOCASE,
    "source" TEXT COLLATE NOCASE NOT NULL,
    "message" TEXT COLLATE NOCASE NOT NULL,
    "parameters" TEXT NOT NULL,
    "target_uuid" TEXT COLLATE NOCASE,
    "job_uuid" TEXT COLLATE NOCASE,
    "stage" TEXT COLLATE NOCASE,
    "code" TEXT COLLATE NOCASE,
    "details" TEXT COLLATE NOCASE,
    "only_read" INTEGER NOT NULL,
    "times" INTEGER NOT NULL,
    "previous" TEXT COLLATE NOCASE NOT NULL,
    "digest" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "audit_entry_account_uuid" ON "audit_entry" ("account_uuid");

CREATE INDEX "audit_entry_target_uuid" ON "audit_entry" ("target_uuid");

CREATE INDEX "audit_entry_job_uuid" ON "audit_entry" ("job_uuid");

CREATE TABLE "backup_storage" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "url" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "total_capacity" INTEGER NOT NULL,
    "available_capacity" INTEGER NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "status_reason" TEXT COLLATE NOCASE,
    "hostname" TEXT COLLATE NOCASE NOT NULL,
    "ssh_port" INTEGER NOT NULL,
    "username" TEXT COLLATE NOCASE NOT NULL,
    "host_key_fingerprint" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "connect_id" INTEGER NOT NULL,
    "connected_id" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "backup_storage_name" ON "backup_storage" ("name");

CREATE TABLE "backup_storage_zone_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "id" INTEGER NOT NULL UNIQUE,
    "backup_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("backup_storage_uuid", "zone_uuid")
) STRICT;

CREATE INDEX "backup_storage_zone_ref_backup_storage_uuid" ON "backup_storage_zone_ref" ("backup_storage_uuid");

CREATE INDEX "backup_storage_zone_ref_zone_uuid" ON "backup_storage_zone_ref" ("zone_uuid");

CREATE TABLE "cluster" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "hypervisor_type" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "cluster_name" ON "cluster" ("name");

CREATE INDEX "cluster_zone_uuid" ON "cluster" ("zone_uuid");

CREATE TABLE "disk_offering" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "disk_size" INTEGER NOT NULL,
    "sort_key" INTEGER NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "allocator_strategy" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "disk_offering_name" ON "disk_offering" ("name");

CREATE TABLE "event" (
    "sequence" INTEGER NOT NULL PRIMARY KEY,
    "create_date" REAL NOT NULL,
    "level" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "resource_uuid" TEXT COLLATE NOCASE,
    "resource_type" TEXT COLLATE NOCASE,
    "resource_name" TEXT COLLATE NOCASE,
    "text" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "event_create_date" ON "event" ("create_date");

CREATE INDEX "event_name" ON "event" ("name");

CREATE INDEX "event_resource_uuid" ON "event" ("resource_uuid");

CREATE TABLE "figure_block" (
    "key" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "began" INTEGER NOT NULL,
    "points" TEXT COLLATE NOCASE NOT NULL,
    "peaks" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "figure_block_began" ON "figure_block" ("began");

CREATE TABLE "global_config" (
    "key" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "category" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE NOT NULL,
    "default_value" TEXT COLLATE NOCASE NOT NULL,
    "value" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "global_config_category" ON "global_config" ("category");

CREATE TABLE "host" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "cluster_uuid" TEXT COLLATE NOCASE NOT NULL,
    "management_ip" TEXT COLLATE NOCASE NOT NULL UNIQUE,
    "ssh_port" INTEGER NOT NULL,
    "username" TEXT COLLATE NOCASE NOT NULL,
    "host_key_fingerprint" TEXT COLLATE NOCASE,
    "hypervisor_type" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "status_reason" TEXT COLLATE NOCASE,
    "total_cpu_capacity" INTEGER NOT NULL,
    "available_cpu_capacity" INTEGER NOT NULL,
    "total_memory_capacity" INTEGER NOT NULL,
    "available_memory_capacity" INTEGER NOT NULL,
    "memory_capacity" INTEGER,
    "cpu_capacity" INTEGER,
    "cpu_num" INTEGER NOT NULL,
    "cpu_model" TEXT COLLATE NOCASE NOT NULL,
    "accelerator" TEXT COLLATE NOCASE,
    "agent_version" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "connect_id" INTEGER NOT NULL,
    "connected_id" INTEGER NOT NULL,
    "boot_id" TEXT COLLATE NOCASE,
    "fetch_sequence" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "host_name" ON "host" ("name");

CREATE INDEX "host_zone_uuid" ON "host" ("zone_uuid");

CREATE INDEX "host_cluster_uuid" ON "host" ("cluster_uuid");

CREATE TABLE "host_key" (
    "machine" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "public_key" TEXT COLLATE NOCASE NOT NULL,
    "fingerprint" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "image" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "size" INTEGER NOT NULL,
    "actual_size" INTEGER NOT NULL,
    "length" INTEGER NOT NULL,
    "md5_sum" TEXT COLLATE NOCASE,
    "url" TEXT COLLATE NOCASE NOT NULL,
    "source_url" TEXT COLLATE NOCASE,
    "media_type" TEXT COLLATE NOCASE NOT NULL,
    "guest_os_type" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "platform" TEXT COLLATE NOCASE NOT NULL,
    "format" TEXT COLLATE NOCASE NOT NULL,
    "source_format" TEXT COLLATE NOCASE,
    "system" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "image_name" ON "image" ("name");

CREATE TABLE "image_backup_storage_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "image_uuid" TEXT COLLATE NOCASE NOT NULL,
    "backup_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "install_path" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("image_uuid", "backup_storage_uuid")
) STRICT;

CREATE INDEX "image_backup_storage_ref_image_uuid" ON "image_backup_storage_ref" ("image_uuid");

CREATE INDEX "image_backup_storage_ref_backup_storage_uuid" ON "image_backup_storage_ref" ("backup_storage_uuid");

CREATE TABLE "image_cache" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "image_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "install_path" TEXT COLLATE NOCASE NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("host_uuid", "install_path")
) STRICT;

CREATE INDEX "image_cache_image_uuid" ON "image_cache" ("image_uuid");

CREATE INDEX "image_cache_host_uuid" ON "image_cache" ("host_uuid");

CREATE TABLE "instance_offering" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "cpu_num" INTEGER NOT NULL,
    "cpu_speed" INTEGER NOT NULL,
    "memory_size" INTEGER NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "allocator_strategy" TEXT COLLATE NOCASE NOT NULL,
    "sort_key" INTEGER NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "instance_offering_name" ON "instance_offering" ("name");

CREATE TABLE "ip_range" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "l3_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "start_ip" TEXT COLLATE NOCASE NOT NULL,
    "end_ip" TEXT COLLATE NOCASE NOT NULL,
    "netmask" TEXT COLLATE NOCASE NOT NULL,
    "gateway" TEXT COLLATE NOCASE NOT NULL,
    "network_cidr" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "ip_range_l3_network_uuid" ON "ip_range" ("l3_network_uuid");

CREATE INDEX "ip_range_name" ON "ip_range" ("name");

CREATE TABLE "journal_entry" (
    "sequence" INTEGER NOT NULL PRIMARY KEY,
    "resource" TEXT COLLATE NOCASE NOT NULL,
    "key" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "l2_network" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "physical_interface" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "vlan" INTEGER,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "l2_network_name" ON "l2_network" ("name");

CREATE INDEX "l2_network_zone_uuid" ON "l2_network" ("zone_uuid");

CREATE TABLE "l2_network_cluster_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "l2_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "cluster_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("l2_network_uuid", "cluster_uuid")
) STRICT;

CREATE INDEX "l2_network_cluster_ref_l2_network_uuid" ON "l2_network_cluster_ref" ("l2_network_uuid");

CREATE INDEX "l2_network_cluster_ref_cluster_uuid" ON "l2_network_cluster_ref" ("cluster_uuid");

CREATE TABLE "l3_network" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "l2_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "dns_domain" TEXT COLLATE NOCASE,
    "system" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "dhcp_ip" TEXT COLLATE NOCASE,
    "generation" INTEGER NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "l3_network_name" ON "l3_network" ("name");

CREATE INDEX "l3_network_zone_uuid" ON "l3_network" ("zone_uuid");

CREATE INDEX "l3_network_l2_network_uuid" ON "l3_network" ("l2_network_uuid");

CREATE TABLE "l3_network_dns" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "l3_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "dns" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("l3_network_uuid", "dns")
) STRICT;

CREATE INDEX "l3_network_dns_l3_network_uuid" ON "l3_network_dns" ("l3_network_uuid");

CREATE TABLE "local_storage_host_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "primary_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "total_capacity" INTEGER NOT NULL,
    "available_capacity" INTEGER NOT NULL,
    "available_physical_capacity" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("primary_storage_uuid", "host_uuid")
) STRICT;

CREATE INDEX "local_storage_host_ref_primary_storage_uuid" ON "local_storage_host_ref" ("primary_storage_uuid");

CREATE INDEX "local_storage_host_ref_host_uuid" ON "local_storage_host_ref" ("host_uuid");

CREATE TABLE "local_storage_resource_ref" (
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "primary_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "size" INTEGER NOT NULL,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "local_storage_resource_ref_primary_storage_uuid" ON "local_storage_resource_ref" ("primary_storage_uuid");

CREATE INDEX "local_storage_resource_ref_host_uuid" ON "local_storage_resource_ref" ("host_uuid");

CREATE TABLE "long_job" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "target_resource_uuid" TEXT COLLATE NOCASE,
    "target_resource_type" TEXT COLLATE NOCASE,
    "target_resource_name" TEXT COLLATE NOCASE,
    "job_data" TEXT COLLATE NOCASE NOT NULL,
    "job_result" TEXT COLLATE NOCASE,
    "step" TEXT COLLATE NOCASE,
    "progress" INTEGER NOT NULL,
    "waits_for" TEXT COLLATE NOCASE,
    "done_bytes" INTEGER,
    "total_bytes" INTEGER,
    "bytes_per_second" INTEGER,
    "account_uuid" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "deadline" REAL,
    "limit" REAL,
    "parts" TEXT COLLATE NOCASE NOT NULL,
    "failure" TEXT COLLATE NOCASE,
    "asked_by" TEXT COLLATE NOCASE,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "long_job_name" ON "long_job" ("name");

CREATE INDEX "long_job_state" ON "long_job" ("state");

CREATE INDEX "long_job_target_resource_uuid" ON "long_job" ("target_resource_uuid");

CREATE INDEX "long_job_create_date" ON "long_job" ("create_date");

CREATE TABLE "management_node" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "host_name" TEXT COLLATE NOCASE NOT NULL,
    "join_date" REAL NOT NULL,
    "heart_beat" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "network_service_l3_network_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "l3_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "network_service_provider_uuid" TEXT COLLATE NOCASE NOT NULL,
    "network_service_type" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("l3_network_uuid", "network_service_type")
) STRICT;

CREATE INDEX "network_service_l3_network_ref_l3_network_uuid" ON "network_service_l3_network_ref" ("l3_network_uuid");

CREATE INDEX "network_service_l3_network_ref_network_service_provider_uuid" ON "network_service_l3_network_ref" ("network_service_provider_uuid");

CREATE TABLE "network_service_provider" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "network_service_types" TEXT NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "network_service_provider_l2_network_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "network_service_provider_uuid" TEXT COLLATE NOCASE NOT NULL,
    "l2_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("network_service_provider_uuid", "l2_network_uuid")
) STRICT;

CREATE INDEX "network_service_provider_l2_network_ref_network_service_provider_uuid" ON "network_service_provider_l2_network_ref" ("network_service_provider_uuid");

CREATE INDEX "network_service_provider_l2_network_ref_l2_network_uuid" ON "network_service_provider_l2_network_ref" ("l2_network_uuid");

CREATE TABLE "policy" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "statements" TEXT NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "policy_account_uuid" ON "policy" ("account_uuid");

CREATE INDEX "policy_name" ON "policy" ("name");

CREATE TABLE "primary_storage" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "url" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "total_capacity" INTEGER NOT NULL,
    "available_capacity" INTEGER NOT NULL,
    "total_physical_capacity" INTEGER NOT NULL,
    "available_physical_capacity" INTEGER NOT NULL,
    "system_used_capacity" INTEGER,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "mount_path" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "primary_storage_zone_uuid" ON "primary_storage" ("zone_uuid");

CREATE INDEX "primary_storage_name" ON "primary_storage" ("name");

CREATE TABLE "primary_storage_cluster_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "id" INTEGER NOT NULL UNIQUE,
    "primary_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "cluster_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("primary_storage_uuid", "cluster_uuid")
) STRICT;

CREATE INDEX "primary_storage_cluster_ref_primary_storage_uuid" ON "primary_storage_cluster_ref" ("primary_storage_uuid");

CREATE INDEX "primary_storage_cluster_ref_cluster_uuid" ON "primary_storage_cluster_ref" ("cluster_uuid");

CREATE TABLE "quota" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "identity_uuid" TEXT COLLATE NOCASE NOT NULL,
    "identity_type" TEXT COLLATE NOCASE NOT NULL,
    "value" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("identity_uuid", "name")
) STRICT;

CREATE INDEX "quota_name" ON "quota" ("name");

CREATE TABLE "recycle_bin_item" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "reclaimable_size" INTEGER,
    "deletion_date" REAL NOT NULL,
    "expunge_date" REAL,
    "host_uuid" TEXT COLLATE NOCASE,
    "primary_storage_uuid" TEXT COLLATE NOCASE,
    "backup_storage_uuid" TEXT COLLATE NOCASE,
    "data_volume_uuids" TEXT NOT NULL,
    "ips" TEXT NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "recycle_bin_item_resource_uuid" ON "recycle_bin_item" ("resource_uuid");

CREATE INDEX "recycle_bin_item_name" ON "recycle_bin_item" ("name");

CREATE INDEX "recycle_bin_item_deletion_date" ON "recycle_bin_item" ("deletion_date");

CREATE INDEX "recycle_bin_item_expunge_date" ON "recycle_bin_item" ("expunge_date");

CREATE INDEX "recycle_bin_item_host_uuid" ON "recycle_bin_item" ("host_uuid");

CREATE INDEX "recycle_bin_item_primary_storage_uuid" ON "recycle_bin_item" ("primary_storage_uuid");

CREATE INDEX "recycle_bin_item_backup_storage_uuid" ON "recycle_bin_item" ("backup_storage_uuid");

CREATE INDEX "recycle_bin_item_resource_type_expunge_date" ON "recycle_bin_item" ("resource_type", "expunge_date");

CREATE TABLE "session" (
    "digest" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "user_uuid" TEXT COLLATE NOCASE NOT NULL,
    "source" TEXT COLLATE NOCASE NOT NULL,
    "expired_date" REAL NOT NULL,
    "create_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "session_account_uuid" ON "session" ("account_uuid");

CREATE INDEX "session_user_uuid" ON "session" ("user_uuid");

CREATE INDEX "session_expired_date" ON "session" ("expired_date");

CREATE TABLE "shared_resource" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "owner_account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "receiver_account_uuid" TEXT COLLATE NOCASE,
    "to_public" INTEGER NOT NULL,
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "shared_resource_owner_account_uuid" ON "shared_resource" ("owner_account_uuid");

CREATE INDEX "shared_resource_receiver_account_uuid" ON "shared_resource" ("receiver_account_uuid");

CREATE INDEX "shared_resource_resource_uuid" ON "shared_resource" ("resource_uuid");

CREATE TABLE "system_tag" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "tag" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "inherent" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "system_tag_resource_uuid" ON "system_tag" ("resource_uuid");

CREATE TABLE "tally" (
    "key" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "total" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE TABLE "used_ip" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "l3_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "ip_range_uuid" TEXT COLLATE NOCASE NOT NULL,
    "ip" TEXT COLLATE NOCASE NOT NULL,
    "ip_number" INTEGER NOT NULL,
    "used_for" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("l3_network_uuid", "ip")
) STRICT;

CREATE INDEX "used_ip_l3_network_uuid" ON "used_ip" ("l3_network_uuid");

CREATE INDEX "used_ip_used_for" ON "used_ip" ("used_for");

CREATE INDEX "used_ip_ip_range_uuid_ip_number" ON "used_ip" ("ip_range_uuid", "ip_number");

CREATE TABLE "user" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "password_hash" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("account_uuid", "name")
) STRICT;

CREATE INDEX "user_name" ON "user" ("name");

CREATE TABLE "user_group" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("account_uuid", "name")
) STRICT;

CREATE INDEX "user_group_name" ON "user_group" ("name");

CREATE TABLE "user_group_policy_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "group_uuid" TEXT COLLATE NOCASE NOT NULL,
    "policy_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("group_uuid", "policy_uuid")
) STRICT;

CREATE INDEX "user_group_policy_ref_policy_uuid" ON "user_group_policy_ref" ("policy_uuid");

CREATE TABLE "user_group_user_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "user_uuid" TEXT COLLATE NOCASE NOT NULL,
    "group_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("user_uuid", "group_uuid")
) STRICT;

CREATE INDEX "user_group_user_ref_group_uuid" ON "user_group_user_ref" ("group_uuid");

CREATE TABLE "user_policy_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "user_uuid" TEXT COLLATE NOCASE NOT NULL,
    "policy_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("user_uuid", "policy_uuid")
) STRICT;

CREATE INDEX "user_policy_ref_policy_uuid" ON "user_policy_ref" ("policy_uuid");

CREATE TABLE "user_tag" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "resource_uuid" TEXT COLLATE NOCASE NOT NULL,
    "resource_type" TEXT COLLATE NOCASE NOT NULL,
    "tag" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "user_tag_resource_uuid" ON "user_tag" ("resource_uuid");

CREATE INDEX "user_tag_tag_resource_type_resource_uuid" ON "user_tag" ("tag", "resource_type", "resource_uuid");

CREATE TABLE "userdata_fetch" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "sequence" INTEGER NOT NULL,
    "vm_instance_uuid" TEXT COLLATE NOCASE NOT NULL,
    "vm_nic_uuid" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "path" TEXT COLLATE NOCASE NOT NULL,
    "http_status" INTEGER NOT NULL,
    "user_agent" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL,
    UNIQUE ("host_uuid", "sequence")
) STRICT;

CREATE INDEX "userdata_fetch_host_uuid" ON "userdata_fetch" ("host_uuid");

CREATE INDEX "userdata_fetch_vm_instance_uuid" ON "userdata_fetch" ("vm_instance_uuid");

CREATE INDEX "userdata_fetch_vm_nic_uuid" ON "userdata_fetch" ("vm_nic_uuid");

CREATE INDEX "userdata_fetch_create_date" ON "userdata_fetch" ("create_date");

CREATE TABLE "vm_instance" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "zone_uuid" TEXT COLLATE NOCASE NOT NULL,
    "cluster_uuid" TEXT COLLATE NOCASE,
    "image_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE,
    "last_host_uuid" TEXT COLLATE NOCASE,
    "instance_offering_uuid" TEXT COLLATE NOCASE,
    "root_volume_uuid" TEXT COLLATE NOCASE,
    "platform" TEXT COLLATE NOCASE NOT NULL,
    "default_l3_network_uuid" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "hypervisor_type" TEXT COLLATE NOCASE NOT NULL,
    "memory_size" INTEGER NOT NULL,
    "cpu_num" INTEGER NOT NULL,
    "cpu_speed" INTEGER NOT NULL,
    "allocator_strategy" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "state_cause" TEXT COLLATE NOCASE,
    "stands_still" TEXT COLLATE NOCASE,
    "cannot_move" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "internal_id" INTEGER NOT NULL UNIQUE,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "boot_count" INTEGER NOT NULL,
    "booted_count" INTEGER NOT NULL,
    "stop_deadline" REAL,
    "created" INTEGER NOT NULL,
    "power" TEXT COLLATE NOCASE NOT NULL,
    "seen_at" INTEGER NOT NULL,
    "moving" INTEGER NOT NULL,
    "being_read" INTEGER NOT NULL,
    "pending_cpu_num" INTEGER,
    "pending_cpu_speed" INTEGER,
    "pending_memory_size" INTEGER,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "vm_instance_name" ON "vm_instance" ("name");

CREATE INDEX "vm_instance_image_uuid" ON "vm_instance" ("image_uuid");

CREATE INDEX "vm_instance_last_host_uuid" ON "vm_instance" ("last_host_uuid");

CREATE INDEX "vm_instance_instance_offering_uuid" ON "vm_instance" ("instance_offering_uuid");

CREATE INDEX "vm_instance_root_volume_uuid" ON "vm_instance" ("root_volume_uuid");

CREATE INDEX "vm_instance_memory_size" ON "vm_instance" ("memory_size");

CREATE INDEX "vm_instance_cpu_num" ON "vm_instance" ("cpu_num");

CREATE INDEX "vm_instance_state" ON "vm_instance" ("state");

CREATE INDEX "vm_instance_create_date" ON "vm_instance" ("create_date");

CREATE INDEX "vm_instance_last_op_date" ON "vm_instance" ("last_op_date");

CREATE INDEX "vm_instance_state_name" ON "vm_instance" ("state", "name");

CREATE INDEX "vm_instance_state_create_date" ON "vm_instance" ("state", "create_date");

CREATE INDEX "vm_instance_host_uuid_create_date" ON "vm_instance" ("host_uuid", "create_date");

CREATE INDEX "vm_instance_cluster_uuid_name" ON "vm_instance" ("cluster_uuid", "name");

CREATE INDEX "vm_instance_zone_uuid_name" ON "vm_instance" ("zone_uuid", "name");

CREATE TABLE "vm_move" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "vm_instance_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "source_host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "phase" TEXT COLLATE NOCASE NOT NULL,
    "files" TEXT COLLATE NOCASE NOT NULL,
    "nics" TEXT COLLATE NOCASE NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "vm_move_vm_instance_uuid" ON "vm_move" ("vm_instance_uuid");

CREATE INDEX "vm_move_source_host_uuid" ON "vm_move" ("source_host_uuid");

CREATE INDEX "vm_move_host_uuid" ON "vm_move" ("host_uuid");

CREATE TABLE "vm_nic" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "vm_instance_uuid" TEXT COLLATE NOCASE NOT NULL,
    "l3_network_uuid" TEXT COLLATE NOCASE NOT NULL,
    "ip" TEXT COLLATE NOCASE,
    "mac" TEXT COLLATE NOCASE NOT NULL UNIQUE,
    "netmask" TEXT COLLATE NOCASE,
    "gateway" TEXT COLLATE NOCASE,
    "meta_data" TEXT COLLATE NOCASE,
    "device_id" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "used_ip_uuid" TEXT COLLATE NOCASE,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "plugged" INTEGER NOT NULL,
    "former_ip" TEXT COLLATE NOCASE,
    "was_default" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "vm_nic_vm_instance_uuid" ON "vm_nic" ("vm_instance_uuid");

CREATE INDEX "vm_nic_ip_vm_instance_uuid" ON "vm_nic" ("ip", "vm_instance_uuid");

CREATE INDEX "vm_nic_l3_network_uuid_vm_instance_uuid" ON "vm_nic" ("l3_network_uuid", "vm_instance_uuid");

CREATE TABLE "volume" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "primary_storage_uuid" TEXT COLLATE NOCASE,
    "vm_instance_uuid" TEXT COLLATE NOCASE,
    "disk_offering_uuid" TEXT COLLATE NOCASE,
    "root_image_uuid" TEXT COLLATE NOCASE,
    "install_path" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "format" TEXT COLLATE NOCASE NOT NULL,
    "size" INTEGER NOT NULL,
    "device_id" INTEGER,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE,
    "whole_size" INTEGER,
    "attachment" TEXT COLLATE NOCASE NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "chain_changes" INTEGER NOT NULL,
    "overlay" INTEGER NOT NULL,
    "abandoned" TEXT COLLATE NOCASE,
    "former_snapshot" TEXT COLLATE NOCASE,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_name" ON "volume" ("name");

CREATE INDEX "volume_primary_storage_uuid" ON "volume" ("primary_storage_uuid");

CREATE INDEX "volume_vm_instance_uuid" ON "volume" ("vm_instance_uuid");

CREATE INDEX "volume_disk_offering_uuid" ON "volume" ("disk_offering_uuid");

CREATE INDEX "volume_root_image_uuid" ON "volume" ("root_image_uuid");

CREATE INDEX "volume_host_uuid" ON "volume" ("host_uuid");

CREATE TABLE "volume_backup" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "volume_uuid" TEXT COLLATE NOCASE NOT NULL,
    "vm_instance_uuid" TEXT COLLATE NOCASE,
    "group_uuid" TEXT COLLATE NOCASE NOT NULL,
    "backup_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "volume_snapshot_uuid" TEXT COLLATE NOCASE,
    "parent_uuid" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "mode" TEXT COLLATE NOCASE NOT NULL,
    "mode_reason" TEXT COLLATE NOCASE,
    "volume_size" INTEGER NOT NULL,
    "size" INTEGER NOT NULL,
    "md5" TEXT COLLATE NOCASE,
    "install_path" TEXT COLLATE NOCASE NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "volume_path" TEXT COLLATE NOCASE NOT NULL,
    "staged_path" TEXT COLLATE NOCASE NOT NULL,
    "phase" TEXT COLLATE NOCASE NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_backup_name" ON "volume_backup" ("name");

CREATE INDEX "volume_backup_volume_uuid" ON "volume_backup" ("volume_uuid");

CREATE INDEX "volume_backup_vm_instance_uuid" ON "volume_backup" ("vm_instance_uuid");

CREATE INDEX "volume_backup_group_uuid" ON "volume_backup" ("group_uuid");

CREATE INDEX "volume_backup_backup_storage_uuid" ON "volume_backup" ("backup_storage_uuid");

CREATE INDEX "volume_backup_volume_snapshot_uuid" ON "volume_backup" ("volume_snapshot_uuid");

CREATE INDEX "volume_backup_parent_uuid" ON "volume_backup" ("parent_uuid");

CREATE INDEX "volume_backup_host_uuid" ON "volume_backup" ("host_uuid");

CREATE TABLE "volume_move" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "volume_uuid" TEXT COLLATE NOCASE NOT NULL,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "vm_instance_uuid" TEXT COLLATE NOCASE,
    "vm_move_uuid" TEXT COLLATE NOCASE,
    "primary_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "source_host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "phase" TEXT COLLATE NOCASE NOT NULL,
    "size" INTEGER NOT NULL,
    "files" TEXT COLLATE NOCASE NOT NULL,
    "nics" TEXT COLLATE NOCASE NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_move_volume_uuid" ON "volume_move" ("volume_uuid");

CREATE INDEX "volume_move_vm_instance_uuid" ON "volume_move" ("vm_instance_uuid");

CREATE INDEX "volume_move_vm_move_uuid" ON "volume_move" ("vm_move_uuid");

CREATE INDEX "volume_move_primary_storage_uuid" ON "volume_move" ("primary_storage_uuid");

CREATE INDEX "volume_move_source_host_uuid" ON "volume_move" ("source_host_uuid");

CREATE INDEX "volume_move_host_uuid" ON "volume_move" ("host_uuid");

CREATE TABLE "volume_reading" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "volume_uuid" TEXT COLLATE NOCASE NOT NULL,
    "vm_instance_uuid" TEXT COLLATE NOCASE,
    "host_uuid" TEXT COLLATE NOCASE NOT NULL,
    "path" TEXT COLLATE NOCASE NOT NULL,
    "flat_path" TEXT COLLATE NOCASE NOT NULL,
    "phase" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_reading_volume_uuid" ON "volume_reading" ("volume_uuid");

CREATE INDEX "volume_reading_vm_instance_uuid" ON "volume_reading" ("vm_instance_uuid");

CREATE INDEX "volume_reading_host_uuid" ON "volume_reading" ("host_uuid");

CREATE TABLE "volume_restore" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "volume_uuid" TEXT COLLATE NOCASE,
    "backup_uuid" TEXT COLLATE NOCASE NOT NULL,
    "account_uuid" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "primary_storage_uuid" TEXT COLLATE NOCASE,
    "host_uuid" TEXT COLLATE NOCASE,
    "backup_storage_uuid" TEXT COLLATE NOCASE,
    "format" TEXT COLLATE NOCASE NOT NULL,
    "platform" TEXT COLLATE NOCASE NOT NULL,
    "guest_os_type" TEXT COLLATE NOCASE,
    "system" INTEGER NOT NULL,
    "install_path" TEXT COLLATE NOCASE NOT NULL,
    "tags" TEXT COLLATE NOCASE NOT NULL,
    "size" INTEGER NOT NULL,
    "intended" TEXT COLLATE NOCASE NOT NULL,
    "generation" INTEGER NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_restore_volume_uuid" ON "volume_restore" ("volume_uuid");

CREATE INDEX "volume_restore_backup_uuid" ON "volume_restore" ("backup_uuid");

CREATE INDEX "volume_restore_primary_storage_uuid" ON "volume_restore" ("primary_storage_uuid");

CREATE INDEX "volume_restore_host_uuid" ON "volume_restore" ("host_uuid");

CREATE INDEX "volume_restore_backup_storage_uuid" ON "volume_restore" ("backup_storage_uuid");

CREATE TABLE "volume_snapshot" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "volume_uuid" TEXT COLLATE NOCASE NOT NULL,
    "tree_uuid" TEXT COLLATE NOCASE NOT NULL,
    "parent_uuid" TEXT COLLATE NOCASE,
    "primary_storage_uuid" TEXT COLLATE NOCASE,
    "primary_storage_install_path" TEXT COLLATE NOCASE NOT NULL,
    "volume_type" TEXT COLLATE NOCASE NOT NULL,
    "format" TEXT COLLATE NOCASE NOT NULL,
    "latest" INTEGER NOT NULL,
    "size" INTEGER NOT NULL,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "status" TEXT COLLATE NOCASE NOT NULL,
    "quiesced" INTEGER,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "host_uuid" TEXT COLLATE NOCASE,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_snapshot_name" ON "volume_snapshot" ("name");

CREATE INDEX "volume_snapshot_volume_uuid" ON "volume_snapshot" ("volume_uuid");

CREATE INDEX "volume_snapshot_tree_uuid" ON "volume_snapshot" ("tree_uuid");

CREATE INDEX "volume_snapshot_parent_uuid" ON "volume_snapshot" ("parent_uuid");

CREATE INDEX "volume_snapshot_primary_storage_uuid" ON "volume_snapshot" ("primary_storage_uuid");

CREATE INDEX "volume_snapshot_host_uuid" ON "volume_snapshot" ("host_uuid");

CREATE TABLE "volume_snapshot_backup_storage_ref" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "volume_snapshot_uuid" TEXT COLLATE NOCASE NOT NULL,
    "backup_storage_uuid" TEXT COLLATE NOCASE NOT NULL,
    "install_path" TEXT COLLATE NOCASE NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_snapshot_backup_storage_ref_volume_snapshot_uuid" ON "volume_snapshot_backup_storage_ref" ("volume_snapshot_uuid");

CREATE INDEX "volume_snapshot_backup_storage_ref_backup_storage_uuid" ON "volume_snapshot_backup_storage_ref" ("backup_storage_uuid");

CREATE TABLE "volume_snapshot_tree" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "volume_uuid" TEXT COLLATE NOCASE NOT NULL,
    "current" INTEGER NOT NULL,
    "root_image_uuid" TEXT COLLATE NOCASE,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "volume_snapshot_tree_volume_uuid" ON "volume_snapshot_tree" ("volume_uuid");

CREATE INDEX "volume_snapshot_tree_root_image_uuid" ON "volume_snapshot_tree" ("root_image_uuid");

CREATE TABLE "zone" (
    "uuid" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE NOCASE NOT NULL,
    "description" TEXT COLLATE NOCASE,
    "state" TEXT COLLATE NOCASE NOT NULL,
    "type" TEXT COLLATE NOCASE NOT NULL,
    "create_date" REAL NOT NULL,
    "last_op_date" REAL NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT;

CREATE INDEX "zone_name" ON "zone" ("name");

ANALYZE sqlite_schema;

INSERT INTO sqlite_stat1 VALUES
    ('access_token', 'access_token_name', '1000000 100'),
    ('access_token', 'access_token_account_uuid', '1000000 100'),
    ('access_token', 'access_token_user_uuid', '1000000 100'),
    ('access_token', 'access_token_expired_date', '1000000 1'),
    ('account_resource_ref', 'account_resource_ref_account_uuid', '1000000 100'),
    ('audit_entry', 'audit_entry_account_uuid', '1000000 100'),
    ('audit_entry', 'audit_entry_target_uuid', '1000000 100'),
    ('audit_entry', 'audit_entry_job_uuid', '1000000 100'),
    ('backup_storage', 'backup_storage_name', '1000000 100'),
    ('backup_storage_zone_ref', 'backup_storage_zone_ref_backup_storage_uuid', '1000000 100'),
    ('backup_storage_zone_ref', 'backup_storage_zone_ref_zone_uuid', '1000000 100'),
    ('cluster', 'cluster_name', '1000000 100'),
    ('cluster', 'cluster_zone_uuid', '1000000 100'),
    ('disk_offering', 'disk_offering_name', '1000000 100'),
    ('event', 'event_create_date', '1000000 1'),
    ('event', 'event_name', '1000000 100'),
    ('event', 'event_resource_uuid', '1000000 100'),
    ('figure_block', 'figure_block_began', '1000000 100'),
    ('global_config', 'global_config_category', '1000000 100'),
    ('host', 'host_name', '1000000 100'),
    ('host', 'host_zone_uuid', '1000000 100'),
    ('host', 'host_cluster_uuid', '1000000 100'),
    ('image', 'image_name', '1000000 100'),
    ('image_backup_storage_ref', 'image_backup_storage_ref_image_uuid', '1000000 100'),
    ('image_backup_storage_ref', 'image_backup_storage_ref_backup_storage_uuid', '1000000 100'),
    ('image_cache', 'image_cache_image_uuid', '1000000 100'),
    ('image_cache', 'image_cache_host_uuid', '1000000 100'),
    ('instance_offering', 'instance_offering_name', '1000000 100'),
    ('ip_range', 'ip_range_l3_network_uuid', '1000000 100'),
    ('ip_range', 'ip_range_name', '1000000 100'),
    ('l2_network', 'l2_network_name', '1000000 100'),
    ('l2_network', 'l2_network_zone_uuid', '1000000 100'),
    ('l2_network_cluster_ref', 'l2_network_cluster_ref_l2_network_uuid', '1000000 100'),
    ('l2_network_cluster_ref', 'l2_network_cluster_ref_cluster_uuid', '1000000 100'),
    ('l3_network', 'l3_network_name', '1000000 100'),
    ('l3_network', 'l3_network_zone_uuid', '1000000 100'),
    ('l3_network', 'l3_network_l2_network_uuid', '1000000 100'),
    ('l3_network_dns', 'l3_network_dns_l3_network_uuid', '1000000 100'),
    ('local_storage_host_ref', 'local_storage_host_ref_primary_storage_uuid', '1000000 100'),
    ('local_storage_host_ref', 'local_storage_host_ref_host_uuid', '1000000 100'),
    ('local_storage_resource_ref', 'local_storage_resource_ref_primary_storage_uuid', '1000000 100'),
    ('local_storage_resource_ref', 'local_storage_resource_ref_host_uuid', '1000000 100'),
    ('long_job', 'long_job_name', '1000000 100'),
    ('long_job', 'long_job_state', '1000000 100'),
    ('long_job', 'long_job_target_resource_uuid', '1000000 100'),
    ('long_job', 'long_job_create_date', '1000000 1'),
    ('network_service_l3_network_ref', 'network_service_l3_network_ref_l3_network_uuid', '1000000 100'),
    ('network_service_l3_network_ref', 'network_service_l3_network_ref_network_service_provider_uuid', '1000000 100'),
    ('network_service_provider_l2_network_ref', 'network_service_provider_l2_network_ref_network_service_provider_uuid', '1000000 100'),
    ('network_service_provider_l2_network_ref', 'network_service_provider_l2_network_ref_l2_network_uuid', '1000000 100'),
    ('policy', 'policy_account_uuid', '1000000 100'),
    ('policy', 'policy_name', '1000000 100'),
    ('primary_storage', 'primary_storage_zone_uuid', '1000000 100'),
    ('primary_storage', 'primary_storage_name', '1000000 100'),
    ('primary_storage_cluster_ref', 'primary_storage_cluster_ref_primary_storage_uuid', '1000000 100'),
    ('primary_storage_cluster_ref', 'primary_storage_cluster_ref_cluster_uuid', '1000000 100'),
    ('quota', 'quota_name', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_resource_uuid', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_name', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_deletion_date', '1000000 1'),
    ('recycle_bin_item', 'recycle_bin_item_expunge_date', '1000000 1'),
    ('recycle_bin_item', 'recycle_bin_item_host_uuid', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_primary_storage_uuid', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_backup_storage_uuid', '1000000 100'),
    ('recycle_bin_item', 'recycle_bin_item_resource_type_expunge_date', '1000000 200000 1'),
    ('session', 'session_account_uuid', '1000000 100'),
    ('session', 'session_user_uuid', '1000000 100'),
    ('session', 'session_expired_date', '1000000 1'),
    ('shared_resource', 'shared_resource_owner_account_uuid', '1000000 100'),
    ('shared_resource', 'shared_resource_receiver_account_uuid', '1000000 100'),
    ('shared_resource', 'shared_resource_resource_uuid', '1000000 100'),
    ('system_tag', 'system_tag_resource_uuid', '1000000 100'),
    ('used_ip', 'used_ip_l3_network_uuid', '1000000 100'),
    ('used_ip', 'used_ip_used_for', '1000000 100'),
    ('used_ip', 'used_ip_ip_range_uuid_ip_number', '1000000 100 1'),
    ('user', 'user_name', '1000000 100'),
    ('user_group', 'user_group_name', '1000000 100'),
    ('user_group_policy_ref', 'user_group_policy_ref_policy_uuid', '1000000 100'),
    ('user_group_user_ref', 'user_group_user_ref_group_uuid', '1000000 100'),
    ('user_policy_ref', 'user_policy_ref_policy_uuid', '1000000 100'),
    ('user_tag', 'user_tag_resource_uuid', '1000000 100'),
    ('user_tag', 'user_tag_tag_resource_type_resource_uuid', '1000000 100 1 1'),
    ('userdata_fetch', 'userdata_fetch_host_uuid', '1000000 100'),
    ('userdata_fetch', 'userdata_fetch_vm_instance_uuid', '1000000 100'),
    ('userdata_fetch', 'userdata_fetch_vm_nic_uuid', '1000000 100'),
    ('userdata_fetch', 'userdata_fetch_create_date', '1000000 1'),
    ('vm_instance', 'vm_instance_name', '1000000 100'),
    ('vm_instance', 'vm_instance_image_uuid', '1000000 100'),
    ('vm_instance', 'vm_instance_last_host_uuid', '1000000 100'),
    ('vm_instance', 'vm_instance_instance_offering_uuid', '1000000 100'),
    ('vm_instance', 'vm_instance_root_volume_uuid', '1000000 100'),
    ('vm_instance', 'vm_instance_memory_size', '1000000 200000'),
    ('vm_instance', 'vm_instance_cpu_num', '1000000 200000'),
    ('vm_instance', 'vm_instance_state', '1000000 200000'),
    ('vm_instance', 'vm_instance_create_date', '1000000 1'),
    ('vm_instance', 'vm_instance_last_op_date', '1000000 1'),
    ('vm_instance', 'vm_instance_state_name', '1000000 200000 20'),
    ('vm_instance', 'vm_instance_state_create_date', '1000000 200000 1'),
    ('vm_instance', 'vm_instance_host_uuid_create_date', '1000000 100 1'),
    ('vm_instance', 'vm_instance_cluster_uuid_name', '1000000 200000 20'),
    ('vm_instance', 'vm_instance_zone_uuid_name', '1000000 200000 20'),
    ('vm_move', 'vm_move_vm_instance_uuid', '1000000 100'),
    ('vm_move', 'vm_move_source_host_uuid', '1000000 100'),
    ('vm_move', 'vm_move_host_uuid', '1000000 100'),
    ('vm_nic', 'vm_nic_vm_instance_uuid', '1000000 100'),
    ('vm_nic', 'vm_nic_ip_vm_instance_uuid', '1000000 100 1'),
    ('vm_nic', 'vm_nic_l3_network_uuid_vm_instance_uuid', '1000000 200000 20'),
    ('volume', 'volume_name', '1000000 100'),
    ('volume', 'volume_primary_storage_uuid', '1000000 100'),
    ('volume', 'volume_vm_instance_uuid', '1000000 100'),
    ('volume', 'volume_disk_offering_uuid', '1000000 100'),
    ('volume', 'volume_root_image_uuid', '1000000 100'),
    ('volume', 'volume_host_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_name', '1000000 100'),
    ('volume_backup', 'volume_backup_volume_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_vm_instance_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_group_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_backup_storage_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_volume_snapshot_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_parent_uuid', '1000000 100'),
    ('volume_backup', 'volume_backup_host_uuid', '1000000 100'),
    ('volume_move', 'volume_move_volume_uuid', '1000000 100'),
    ('volume_move', 'volume_move_vm_instance_uuid', '1000000 100'),
    ('volume_move', 'volume_move_vm_move_uuid', '1000000 100'),
    ('volume_move', 'volume_move_primary_storage_uuid', '1000000 100'),
    ('volume_move', 'volume_move_source_host_uuid', '1000000 100'),
    ('volume_move', 'volume_move_host_uuid', '1000000 100'),
    ('volume_reading', 'volume_reading_volume_uuid', '1000000 100'),
    ('volume_reading', 'volume_reading_vm_instance_uuid', '1000000 100'),
    ('volume_reading', 'volume_reading_host_uuid', '1000000 100'),
    ('volume_restore', 'volume_restore_volume_uuid', '1000000 100'),
    ('volume_restore', 'volume_restore_backup_uuid', '1000000 100'),
    ('volume_restore', 'volume_restore_primary_storage_uuid', '1000000 100'),
    ('volume_restore', 'volume_restore_host_uuid', '1000000 100'),
    ('volume_restore', 'volume_restore_backup_storage_uuid', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_name', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_volume_uuid', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_tree_uuid', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_parent_uuid', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_primary_storage_uuid', '1000000 100'),
    ('volume_snapshot', 'volume_snapshot_host_uuid', '1000000 100'),
    ('volume_snapshot_backup_storage_ref', 'volume_snapshot_backup_storage_ref_volume_snapshot_uuid', '1000000 100'),
    ('volume_snapshot_backup_storage_ref', 'volume_snapshot_backup_storage_ref_backup_storage_uuid', '1000000 100'),
    ('volume_snapshot_tree', 'volume_snapshot_tree_volume_uuid', '1000000 100'),
    ('volume_snapshot_tree', 'volume_snapshot_tree_root_image_uuid', '1000000 100'),
    ('zone', 'zone_name', '1000000 100');

ANALYZE sqlite_schema;
