// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel/ipset/kernel_environment.h"
#include "tests/unit/ipset/kernel_sets_contract.h"
#include "tests/unit/ipset/mark_maps_contract.h"
#include "tests/unit/ipset/registry_contract.h"

namespace felix::testing {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Kernel, KernelSetsContract, KernelEnvironment);
INSTANTIATE_TYPED_TEST_SUITE_P(Kernel, MarkMapsContract, KernelEnvironment);
INSTANTIATE_TYPED_TEST_SUITE_P(Kernel, RegistryContract, KernelEnvironment);

}  // namespace
}  // namespace felix::testing
