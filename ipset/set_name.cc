// SPDX-License-Identifier: Apache-2.0
#include "ipset/set_name.h"

#include "fmt/format.h"

namespace felix::ipset {
namespace {

int Version(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? 4 : 6;
}

}  // namespace

std::string KernelSetName(const ir::SetKey& key) {
  std::string name = fmt::format("cali{}0{}", Version(key.family), key.id);
  if (name.size() > kMaxSetNameLength) name.resize(kMaxSetNameLength);
  return name;
}

std::string TemporarySetName(model::IpFamily family, std::uint64_t number) {
  return fmt::format("cali{}t{}", Version(family), number);
}

std::string TemporaryMarkMapName(model::IpFamily family, std::uint64_t number) {
  return fmt::format("cali{}e{}", Version(family), number);
}

bool IsMarkMap(model::IpFamily family, std::string_view name) {
  return family == model::IpFamily::kV6
             ? name.starts_with("cali60e:") || name.starts_with("cali6e")
             : name.starts_with("cali40e:") || name.starts_with("cali4e");
}

bool IsOurs(model::IpFamily family, std::string_view name) {
  if (IsMarkMap(family, name)) return false;
  if (family == model::IpFamily::kV6) {
    return name.starts_with("cali6") || name.starts_with("felix-6");
  }
  return name.starts_with("cali4") || name.starts_with("felix-4") ||
         name == "felix-masq-ipam-pools" || name == "felix-all-ipam-pools";
}

}  // namespace felix::ipset
