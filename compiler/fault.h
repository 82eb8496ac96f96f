// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace felix::compiler {

// Faults that the mutation check plants to see whether the properties notice: each name says what
// the compiler then does wrong. Only the build in tests/mutation can plant one, and it defines
// FELIX_FAULT_INJECTION; in all others IsPlanted() is a constant, so the seams leave no code.
#define FELIX_FAULTS(X)            \
  X(kProtocolNegationDropped)      \
  X(kNetsNegationDropped)          \
  X(kPortsNegationDropped)         \
  X(kNamedPortNegationDropped)     \
  X(kSelectorNegationDropped)      \
  X(kIcmpNegationDropped)          \
  X(kFirstPortOffByOne)            \
  X(kLastPortOffByOne)             \
  X(kSixteenPortSlots)             \
  X(kLostNetsWiden)                \
  X(kPortsWithoutProtocolWiden)    \
  X(kAllowActionIgnored)           \
  X(kSidesSwapped)                 \
  X(kIpVersionIgnored)             \
  X(kIcmpProtocolNotImplied)       \
  X(kScratchMarkKept)              \
  X(kLogAllows)                    \
  X(kPassDenies)                   \
  X(kProfilePassAllows)            \
  X(kNamedPortSelectorIgnored)     \
  X(kPassMarkKeptBetweenTiers)     \
  X(kVerdictKeptBetweenDirections) \
  X(kTierDefaultSwapped)           \
  X(kPolicyGuardMissing)           \
  X(kMissingProfileAllows)         \
  X(kEncapsulationAllowed)         \
  X(kEstablishedSkipsChecks)       \
  X(kInvalidPasses)                \
  X(kForeignMarkBelieved)          \
  X(kSourceCheckMissing)           \
  X(kAdminDownIgnored)             \
  X(kUnknownInterfaceAccepted)     \
  X(kDispatchPrefixCut)            \
  X(kEndpointToHostIgnored)        \
  X(kDiscoveryOfStrangersAccepted) \
  X(kRouterAdvertisementPasses)    \
  X(kTieBreakReversed)             \
  X(kMissingOrderFirst)            \
  X(kMissingTierFirst)             \
  X(kStagedPolicyEnforced)         \
  X(kUntrackedPolicyEnforced)      \
  X(kBrokenPolicyIgnored)          \
  X(kPolicyTypesIgnored)           \
  X(kTierChangeUnheard)            \
  X(kProfileLabelsUnheard)         \
  X(kLastProfileWins)              \
  X(kStaleClassOnLabelChange)      \
  X(kUnfiledSelectorsForgotten)    \
  X(kMemberGoesWithAnyContributor) \
  X(kNamedPortNameIgnored)         \
  X(kNamedPortProtocolLost)        \
  X(kSetNeverReleased)             \
  X(kShapeNeverReleased)           \
  X(kInterfaceGoesToLastClaim)     \
  X(kSpoofingNeedsNoPermission)    \
  X(kSameLengthIsSameChain)        \
  X(kFailsafePortsForgotten)       \
  X(kFailsafeAnswersForgotten)     \
  X(kFailsafeNetIgnored)           \
  X(kHostWaysSwapped)              \
  X(kWildcardUntracked)            \
  X(kOwnListLeftToWildcard)        \
  X(kNoTrackMissing)               \
  X(kMarkKeptAtRaw)                \
  X(kMarkKeptAtMangle)             \
  X(kTranslatedEgressUnasked)      \
  X(kTranslatedAskedByFirstWay)    \
  X(kHostToWorkloadAsked)          \
  X(kForwardAsksAccepted)          \
  X(kAcceptedForgotten)            \
  X(kHostInvalidPasses)            \
  X(kHostEstablishedAsked)         \
  X(kRejectOutsideOfFilter)        \
  X(kForwardTakesAllPolicies)      \
  X(kForwardAsksProfiles)          \
  X(kForwardSilenceDenies)         \
  X(kUntrackedTierDenies)          \
  X(kHostEncapsulationDropped)     \
  X(kLaterNameHasInterface)        \
  X(kNameBeforeAddress)            \
  X(kWorkloadInterfaceIsHosts)     \
  X(kHostAddressesNotInSets)       \
  X(kHostProfileLabelsUnheard)     \
  X(kInterfaceChangeUnheard)       \
  X(kRulesStaleOutsideOfFilter)    \
  X(kUnknownElementBelieved)       \
  X(kNumberReusedAtOnce)           \
  X(kRefusedPasses)                \
  X(kShapeBitIgnored)              \
  X(kPrefixesWithoutChains)        \
  X(kForeignDestinationPasses)

#define FELIX_FAULT_ENUMERATOR(name) name,
enum class Fault : std::uint8_t { kNone, FELIX_FAULTS(FELIX_FAULT_ENUMERATOR) };
#undef FELIX_FAULT_ENUMERATOR

#ifdef FELIX_FAULT_INJECTION
extern Fault planted_fault;
inline bool IsPlanted(Fault fault) {
  return planted_fault == fault;
}
#else
constexpr bool IsPlanted(Fault) {
  return false;
}
#endif

}  // namespace felix::compiler
