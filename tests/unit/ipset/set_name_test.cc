// SPDX-License-Identifier: Apache-2.0
#include "ipset/set_name.h"

#include "gtest/gtest.h"

namespace felix::ipset {
namespace {

using model::IpFamily;

TEST(SetName, JoinsFamilyFormatAndId) {
  EXPECT_EQ(KernelSetName({IpFamily::kV4, "masq-ipam-pools"}), "cali40masq-ipam-pools");
  EXPECT_EQ(KernelSetName({IpFamily::kV6, "n:abc"}), "cali60n:abc");
}

TEST(SetName, IsCutAtTheKernelsLimit) {
  const std::string name = KernelSetName({IpFamily::kV4, "s:0123456789abcdefghijklmnopqrstuvwxyz"});
  EXPECT_EQ(name, "cali40s:0123456789abcdefghijklm");
  EXPECT_EQ(name.size(), kMaxSetNameLength);
}

TEST(SetName, TemporaryNamesAreOursAndNeverThoseOfASet) {
  EXPECT_EQ(TemporarySetName(IpFamily::kV4, 0), "cali4t0");
  EXPECT_EQ(TemporarySetName(IpFamily::kV6, 12), "cali6t12");
  EXPECT_TRUE(IsOurs(IpFamily::kV4, TemporarySetName(IpFamily::kV4, 3)));
  EXPECT_NE(KernelSetName({IpFamily::kV4, "t0"}), TemporarySetName(IpFamily::kV4, 0));
}

TEST(SetName, OwnsCurrentAndHistoricPrefixesOfItsFamilyOnly) {
  for (const char* name : {"cali40s:x", "cali4t1", "cali4-old", "felix-4x", "felix-masq-ipam-pools",
                           "felix-all-ipam-pools"}) {
    EXPECT_TRUE(IsOurs(IpFamily::kV4, name)) << name;
    EXPECT_FALSE(IsOurs(IpFamily::kV6, name)) << name;
  }
  for (const char* name : {"cali60s:x", "cali6t1", "felix-6x"}) {
    EXPECT_TRUE(IsOurs(IpFamily::kV6, name)) << name;
    EXPECT_FALSE(IsOurs(IpFamily::kV4, name)) << name;
  }
}

TEST(SetName, MarkMapsAndAddressSetsShareNoName) {
  for (const char* name : {"cali40e:from", "cali40e:to", "cali4e0", "cali4e12"}) {
    EXPECT_TRUE(IsMarkMap(IpFamily::kV4, name)) << name;
    EXPECT_FALSE(IsMarkMap(IpFamily::kV6, name)) << name;
    EXPECT_FALSE(IsOurs(IpFamily::kV4, name)) << name;
  }
  for (const char* name : {"cali60e:from", "cali6e0"}) {
    EXPECT_TRUE(IsMarkMap(IpFamily::kV6, name)) << name;
    EXPECT_FALSE(IsMarkMap(IpFamily::kV4, name)) << name;
    EXPECT_FALSE(IsOurs(IpFamily::kV6, name)) << name;
  }
  for (const char* name : {"cali40s:e:x", "cali4t0", "cali40n:e", "felix-4e:x", "KUBE-X", ""}) {
    EXPECT_FALSE(IsMarkMap(IpFamily::kV4, name)) << name;
  }
  EXPECT_EQ(TemporaryMarkMapName(IpFamily::kV4, 7), "cali4e7");
  EXPECT_TRUE(IsMarkMap(IpFamily::kV6, TemporaryMarkMapName(IpFamily::kV6, 12)));
  EXPECT_NE(KernelSetName({IpFamily::kV4, "e:0"}), TemporaryMarkMapName(IpFamily::kV4, 0));
}

TEST(SetName, DisownsEverythingElse) {
  for (const char* name : {"", "cali", "cali5", "felix", "felix-", "KUBE-CLUSTER-IP", "xcali40a",
                           "felix-masq-ipam-pools2"}) {
    EXPECT_FALSE(IsOurs(IpFamily::kV4, name)) << name;
    EXPECT_FALSE(IsOurs(IpFamily::kV6, name)) << name;
  }
}

}  // namespace
}  // namespace felix::ipset
