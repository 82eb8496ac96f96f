// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/kernel_sets_contract.h"
#include "tests/unit/ipset/mark_maps_contract.h"
#include "tests/unit/ipset/registry_contract.h"

namespace felix::testing {
namespace {

class FakeEnvironment {
 public:
  static void Require() {}

  ipset::KernelSets& kernel() { return kernel_; }
  void Reference(const std::string& name) { kernel_.Reference(name); }
  void Release(const std::string& name) { kernel_.Release(name); }
  void PutWithTimeout(const std::string& name) {
    ipset::SetContent content = Content(name, NetSet({"10.9.9.9"}));
    content.header.plain = false;
    kernel_.Put(content);
  }
  void PutUncounted(const std::string& name) {
    ipset::SetContent content;
    content.header.name = name;
    content.header.type = std::string(ipset::kInterfaceTypeName);
    content.header.family = model::IpFamily::kV4;
    content.header.max_members = 1048576;
    content.header.has_marks = true;
    content.header.plain = false;
    content.interface_members = {{Net("10.0.0.1").net, "cali1", 0x1, 0xff}};
    kernel_.Put(content);
  }

 private:
  FakeKernelSets kernel_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, KernelSetsContract, FakeEnvironment);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, MarkMapsContract, FakeEnvironment);
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RegistryContract, FakeEnvironment);

}  // namespace
}  // namespace felix::testing
