// SPDX-License-Identifier: Apache-2.0
#include "datastore/source_factory.h"

#include "gtest/gtest.h"

#include "datastore/etcd/etcd_address.h"

namespace felix::datastore {
namespace {

TEST(MakeSource, KnowsDirectoriesAndEtcd) {
  EXPECT_TRUE(MakeSource({"file:/etc"}).ok());
  EXPECT_TRUE(MakeSource({"etcd:https://a:2379,https://b:2379"}).ok());
  for (const char* address : {"", "/etc", "file:", "FILE:/etc", "etcd:", "etcd:ftp://a",
                              "etcd:http://a:0", "etcd:http://a,https://b", "etcd://a/b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(MakeSource({address}).status())) << address;
  }
}

TEST(MakeSource, WantsACertificateAndItsKeyTogether) {
  SourceConfig config{"etcd:https://a"};
  config.tls.cert_file = "/c";
  EXPECT_TRUE(absl::IsInvalidArgument(MakeSource(config).status()));
  config.tls.key_file = "/k";
  EXPECT_TRUE(MakeSource(config).ok());
}

TEST(ParseEtcdEndpoints, ReadsHostsPortsAndBothFamilies) {
  const auto endpoints = ParseEtcdEndpoints(" http://a , b:1 ,http://[fd00::1]:99/,http://1.2.3.4");
  ASSERT_TRUE(endpoints.ok()) << endpoints.status();
  ASSERT_EQ(endpoints->size(), 4U);
  EXPECT_EQ((*endpoints)[0].ToString(), "http://a:2379");
  EXPECT_EQ((*endpoints)[1].ToString(), "http://b:1");
  EXPECT_EQ((*endpoints)[2].ToString(), "http://[fd00::1]:99");
  EXPECT_EQ((*endpoints)[3].ToString(), "http://1.2.3.4:2379");
}

}  // namespace
}  // namespace felix::datastore
