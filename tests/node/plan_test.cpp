#include "node/plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace vkb::node {
namespace {

using Ownership = ProviderPod::Ownership;
using Record = PodRecord::State;
using Target = ProviderState;

std::string describe(const PlanInput& in) {
  static const char* const kHomes[] = {"absent", "active", "terminal", "deleting", "released"};
  static const char* const kOwners[] = {"absent", "mine", "predecessor", "foreign"};
  std::string text = "home " + std::string(kHomes[static_cast<int>(in.home)]) + ", record " +
                     (in.record ? toString(*in.record) : "none") + ", delegate " +
                     kOwners[static_cast<int>(in.delegate.ownership)] + ", target " +
                     toString(in.target);
  if (in.delegate.deleting) text += ", delegate deleting";
  if (in.delegate.terminal) text += ", delegate terminal";
  if (in.delegate.gone_seen) text += ", gone seen";
  if (in.attempt_expired) text += ", attempt expired";
  if (in.outdated) text += ", outdated";
  if (in.shorter_grace) text += ", shorter grace";
  if (!in.alone) text += ", not alone";
  return text;
}

void forEveryInput(const std::function<void(const PlanInput&, const Plan&)>& check) {
  int combinations = 0;
  for (int home = 0; home < 5; ++home) {
    for (int record = -1; record < 5; ++record) {
      for (int owner = 0; owner < 4; ++owner) {
        for (int target = 0; target < 7; ++target) {
          for (int flags = 0; flags < 128; ++flags) {
            PlanInput in{.home = static_cast<HomePod>(home), .target = static_cast<Target>(target)};
            if (record >= 0) in.record = static_cast<Record>(record);
            in.delegate.ownership = static_cast<Ownership>(owner);
            in.delegate.deleting = flags & 1;
            in.delegate.terminal = flags & 2;
            in.delegate.gone_seen = flags & 4;
            in.attempt_expired = flags & 8;
            in.outdated = flags & 16;
            in.shorter_grace = flags & 32;
            in.alone = !(flags & 64);
            // A pod is there, or its end was seen; only what is there has a state.
            const bool there = in.delegate.ownership != Ownership::kAbsent;
            if (there ? in.delegate.gone_seen : in.delegate.deleting || in.delegate.terminal) {
              continue;
            }
            const Plan result = plan(in);
            SCOPED_TRACE(describe(in) + " -> " + toString(result.action));
            check(in, result);
            if (::testing::Test::HasFailure()) return;  // one counterexample is enough to read
            ++combinations;
          }
        }
      }
    }
  }
  EXPECT_EQ(combinations, 2 * 5 * 6 * 7 * (16 + 3 * 32));
}

bool mine(const PlanInput& in) { return in.delegate.ownership == Ownership::kMine; }
bool neverSent(const PlanInput& in) { return !in.record || *in.record == Record::kWaiting; }
/// A create without an answer may still take effect.
bool attemptPending(const PlanInput& in) { return !neverSent(in) && !in.attempt_expired; }
bool isOneOf(Action action, const std::set<Action>& actions) { return actions.contains(action); }
bool reachable(const PlanInput& in) {
  return in.target == Target::kReady || in.target == Target::kLeaving ||
         in.target == Target::kMassLoss;
}

TEST(Plan, ADelegateIsMadeOnlyForAnActivePodThatNeverHadOneWhereTheNameIsFree) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (next.action != Action::kCreate) return;
    EXPECT_EQ(in.home, HomePod::kActive);
    EXPECT_TRUE(neverSent(in) || in.record == Record::kCreating);
    EXPECT_EQ(in.delegate.ownership, Ownership::kAbsent);
    EXPECT_TRUE(in.target == Target::kReady || in.target == Target::kMassLoss);
  });
}

TEST(Plan, NothingTerminalOrOnceMadeIsEverMadeAgain) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    const bool finished = in.home == HomePod::kTerminal || in.record == Record::kTerminal ||
                          in.record == Record::kCreated || in.record == Record::kDeleting;
    if (finished) {
      EXPECT_NE(next.action, Action::kCreate);
    }
  });
}

TEST(Plan, ATargetThatCannotBeTrustedIsNeitherReadNorWritten) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (reachable(in)) return;
    EXPECT_TRUE(isOneOf(next.action, {Action::kNothing, Action::kWait, Action::kMarkUnreachable,
                                      Action::kRelease, Action::kForget}));
    EXPECT_FALSE(next.reflect) << "what is cached there is not known to be true any more";
    if (isOneOf(next.action, {Action::kRelease, Action::kForget})) {
      EXPECT_TRUE(neverSent(in)) << "without asking the target only what never left is done with";
    }
  });
}

TEST(Plan, ForATargetThatAnotherBridgeServesNothingIsSaidAtHome) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (in.target != Target::kClaimedElsewhere) return;
    EXPECT_TRUE(isOneOf(next.action, {Action::kNothing, Action::kWait, Action::kForget}));
  });
}

TEST(Plan, WhereAnotherBridgeMayHaveServedNothingIsReleasedUnseen) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (reachable(in) || in.alone) return;
    EXPECT_NE(next.action, Action::kRelease);
  });
}

TEST(Plan, WhatIsNotOursIsNeverAdoptedChangedOrDeleted) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (mine(in)) return;
    EXPECT_FALSE(isOneOf(next.action, {Action::kAdopt, Action::kUpdate, Action::kReflect,
                                       Action::kDeleteDelegate, Action::kDeleteOrphan}));
  });
}

TEST(Plan, AHomeObjectIsRemovedOnlyWhenItsDelegateWasNeverMadeOrItsEndWasSeen) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (!isOneOf(next.action, {Action::kRelease, Action::kProveGoneThenRelease})) return;
    EXPECT_EQ(in.home, HomePod::kDeleting);
    EXPECT_FALSE(mine(in));
    EXPECT_FALSE(attemptPending(in));
    if (next.action == Action::kRelease) {
      EXPECT_TRUE(neverSent(in) || in.delegate.gone_seen);
    }
  });
}

TEST(Plan, ARecordIsDroppedOnlyWithoutHomePodAndDelegate) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (!isOneOf(next.action, {Action::kForget, Action::kProveGoneThenForget})) return;
    EXPECT_EQ(in.home, HomePod::kAbsent);
    EXPECT_FALSE(mine(in));
    EXPECT_FALSE(attemptPending(in));
    if (next.action == Action::kForget) {
      EXPECT_TRUE(neverSent(in) || in.delegate.gone_seen);
    }
  });
}

TEST(Plan, OnlyADelegateWhoseHomePodAsksForItsEndOrIsGoneIsDeleted) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (next.action == Action::kDeleteOrphan) {
      EXPECT_EQ(in.home, HomePod::kAbsent);
    }
    if (next.action == Action::kDeleteDelegate) {
      EXPECT_NE(in.home, HomePod::kAbsent) << "an orphan needs proof";
      if (in.home == HomePod::kActive) {
        EXPECT_EQ(in.record, Record::kDeleting);
      }
    }
  });
}

TEST(Plan, APodIsProvenLostOnlyWhereItsDelegateExistedAndIsNotSeen) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (next.action != Action::kProveLost) return;
    EXPECT_EQ(in.home, HomePod::kActive);
    EXPECT_FALSE(mine(in));
    EXPECT_FALSE(neverSent(in) || in.record == Record::kCreating);
  });
}

TEST(Plan, UnderTheBrakeNoVerdictOfAbsenceIsActedOn) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (in.target != Target::kMassLoss) return;
    EXPECT_FALSE(
        isOneOf(next.action, {Action::kProveLost, Action::kDeleteOrphan,
                              Action::kProveGoneThenRelease, Action::kProveGoneThenForget}));
  });
}

TEST(Plan, AnUnansweredCreateIsWaitedOutBeforeItCountsAsNeverMade) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (in.record != Record::kCreating || in.attempt_expired) return;
    if (mine(in) || in.home == HomePod::kActive || !reachable(in)) return;
    EXPECT_EQ(next.action, Action::kWaitForAttempt);
  });
}

TEST(Plan, ADelegateKeepsItsNameWhileAnEarlierCreateMayStillTakeEffect) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (!attemptPending(in)) return;
    EXPECT_FALSE(isOneOf(next.action, {Action::kDeleteDelegate, Action::kDeleteOrphan}));
  });
}

TEST(Plan, HomeIsToldOnlyOfADelegateThatIsOursOrWhoseEndWasSeen) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (!next.reflect) return;
    EXPECT_NE(in.home, HomePod::kAbsent);
    EXPECT_TRUE(mine(in) || in.delegate.gone_seen);
    EXPECT_TRUE(in.record.has_value()) << "a status is read by its record";
  });
}

TEST(Plan, ActionsThatWorkOnARecordHaveOne) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (isOneOf(next.action,
                {Action::kUpdate, Action::kReflect, Action::kMarkTerminal, Action::kDeleteDelegate,
                 Action::kDeleteOrphan, Action::kProveLost, Action::kProveGoneThenRelease,
                 Action::kProveGoneThenForget, Action::kWaitForAttempt})) {
      EXPECT_TRUE(in.record.has_value());
    }
    if (isOneOf(next.action, {Action::kAdopt, Action::kUpdate, Action::kReflect})) {
      EXPECT_TRUE(mine(in));
    }
  });
}

TEST(Plan, WritingThingsDownIsDoneOnce) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    PlanInput after = in;
    if (next.action == Action::kAdopt) {
      after.record = Record::kCreated;
    } else if (next.action == Action::kMarkTerminal) {
      after.record = Record::kTerminal;
    } else {
      return;
    }
    EXPECT_NE(plan(after).action, next.action);
  });
}

/// Everything that may be left as it is until something else changes.
bool isSettled(const PlanInput& in) {
  switch (in.home) {
    case HomePod::kAbsent:
      return !in.record && !mine(in);
    case HomePod::kReleased:
      return !mine(in) && !attemptPending(in);
    case HomePod::kTerminal:
      if (mine(in)) return in.record == Record::kTerminal;
      return in.record != Record::kCreating && in.record != Record::kCreated;
    default:
      return false;
  }
}

TEST(Plan, NothingIsLeftToDoOnlyWhereEverythingIsDone) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (next.action == Action::kNothing) {
      EXPECT_TRUE(isSettled(in));
    }
  });
}

TEST(Plan, WaitingIsForSomethingThatWakesThisPod) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (next.action != Action::kWait) return;
    const bool for_the_target = in.target != Target::kReady;
    const bool for_a_predecessor = in.delegate.ownership == Ownership::kPredecessor;
    const bool for_its_end = mine(in) && in.delegate.deleting;
    EXPECT_TRUE(for_the_target || for_a_predecessor || for_its_end);
  });
}

TEST(Plan, LeavingStopsNothingButNewDelegates) {
  forEveryInput([](const PlanInput& in, const Plan& next) {
    if (in.target != Target::kLeaving) return;
    PlanInput ready = in;
    ready.target = Target::kReady;
    const Plan usual = plan(ready);
    EXPECT_EQ(next, usual.action == Action::kCreate ? Plan{Action::kWait} : usual);
  });
}

ProviderPod delegate(Ownership ownership, const std::string& state = "") {
  ProviderPod pod{.ownership = ownership};
  pod.deleting = state == "deleting";
  pod.terminal = state == "terminal";
  pod.gone_seen = state == "gone seen";
  return pod;
}

TEST(Plan, EachKnownSituationHasItsKnownAnswer) {
  using H = HomePod;
  using R = Record;
  using A = Action;
  using T = Target;
  constexpr std::nullopt_t kNone = std::nullopt;
  const ProviderPod absent = delegate(Ownership::kAbsent),
                    gone = delegate(Ownership::kAbsent, "gone seen"),
                    ours = delegate(Ownership::kMine),
                    going = delegate(Ownership::kMine, "deleting"),
                    ended = delegate(Ownership::kMine, "terminal"),
                    former = delegate(Ownership::kPredecessor),
                    foreign = delegate(Ownership::kForeign);
  struct Row {
    const char* name;
    PlanInput in;
    Plan wanted;
  };
  // clang-format off
  const std::vector<Row> rows{
      {"a new pod is created",                         {H::kActive, kNone, false, absent}, {A::kCreate}},
      {"an unanswered create is simply sent again",    {H::kActive, R::kCreating, false, absent}, {A::kCreate}},
      {"an unanswered create that worked is taken up", {H::kActive, R::kCreating, false, ours}, {A::kAdopt}},
      {"a lost store takes its delegates up",          {H::kActive, kNone, false, ours}, {A::kAdopt}},
      {"a predecessor is waited for",                  {H::kActive, kNone, false, former}, {A::kWait}},
      {"a foreign pod of that name is a refusal",      {H::kActive, R::kWaiting, false, foreign}, {A::kRefuseTaken}},
      {"a foreign pod in the way of a retry too",      {H::kActive, R::kCreating, true, foreign}, {A::kRefuseTaken}},
      {"a running delegate is shown",                  {H::kActive, R::kCreated, true, ours}, {A::kReflect, true}},
      {"an ended delegate is shown",                   {H::kActive, R::kCreated, true, ended}, {A::kReflect, true}},
      {"a changed pod is brought over",                {H::kActive, R::kCreated, true, ours, true}, {A::kUpdate, true}},
      {"an ended delegate is not changed any more",    {H::kActive, R::kCreated, true, ended, true}, {A::kReflect, true}},
      {"nor one that is going",                        {H::kActive, R::kCreated, true, going, true}, {A::kReflect, true}},
      {"a delegate not to be seen is asked for",       {H::kActive, R::kCreated, true, absent}, {A::kProveLost}},
      {"one that went in order too, last words first", {H::kActive, R::kCreated, true, gone}, {A::kProveLost, true}},
      {"one replaced by a foreign pod too",            {H::kActive, R::kCreated, true, foreign}, {A::kProveLost}},
      {"a pod failed at home stops its containers",    {H::kTerminal, R::kCreated, true, ours}, {A::kDeleteDelegate}},
      {"a lost store does not make that forgotten",    {H::kTerminal, kNone, false, ours}, {A::kAdopt}},
      {"the end of both is written down",              {H::kTerminal, R::kCreated, true, ended}, {A::kMarkTerminal}},
      {"and then left alone",                          {H::kTerminal, R::kTerminal, true, ended}, {A::kNothing}},
      {"a terminal pod that was never sent",           {H::kTerminal, kNone, false, absent}, {A::kNothing}},
      {"a deletion is passed on",                      {H::kDeleting, R::kCreated, true, ours}, {A::kDeleteDelegate, true}},
      {"once",                                         {H::kDeleting, R::kCreated, true, going}, {A::kReflect, true}},
      {"again when home is in more of a hurry",        {H::kDeleting, R::kCreated, true, going, false, true}, {A::kDeleteDelegate, true}},
      {"what ended is deleted too",                    {H::kDeleting, R::kTerminal, true, ended}, {A::kDeleteDelegate, true}},
      {"the seen end releases home at once",           {H::kDeleting, R::kCreated, true, gone}, {A::kRelease, true}},
      {"an end not seen is proven first",              {H::kDeleting, R::kCreated, true, absent}, {A::kProveGoneThenRelease}},
      {"a refused pod goes at once",                   {H::kDeleting, R::kWaiting, false, absent}, {A::kRelease}},
      {"also beside a foreign pod",                    {H::kDeleting, R::kWaiting, false, foreign}, {A::kRelease}},
      {"an attempt under way is waited for",           {H::kDeleting, R::kCreating, false, absent}, {A::kWaitForAttempt}},
      {"then absence is proven",                       {H::kDeleting, R::kCreating, true, absent}, {A::kProveGoneThenRelease}},
      {"a deletion waits for an unanswered attempt",   {H::kDeleting, R::kCreated, false, ours}, {A::kWaitForAttempt, true}},
      {"an orphan does too",                           {H::kAbsent, R::kCreated, false, ours}, {A::kWaitForAttempt}},
      {"and so does a release on a seen end",          {H::kDeleting, R::kCreated, false, gone}, {A::kWaitForAttempt}},
      {"a finalizer at home keeps no delegate",        {H::kReleased, R::kCreated, true, ours}, {A::kDeleteDelegate}},
      {"and asks for nothing more",                    {H::kReleased, R::kCreated, true, absent}, {A::kNothing}},
      {"an orphan is deleted, after proof",            {H::kAbsent, R::kCreated, true, ours}, {A::kDeleteOrphan}},
      {"an orphan of a lost store is taken up first",  {H::kAbsent, kNone, false, ours}, {A::kAdopt}},
      {"an orphan on its way out is waited for",       {H::kAbsent, R::kDeleting, true, going}, {A::kWait}},
      {"its seen end is the end",                      {H::kAbsent, R::kDeleting, true, gone}, {A::kForget}},
      {"an unseen one is proven",                      {H::kAbsent, R::kDeleting, true, absent}, {A::kProveGoneThenForget}},
      {"a late create may still make an orphan",       {H::kAbsent, R::kCreating, false, absent}, {A::kWaitForAttempt}},
      {"a pod never sent is forgotten",                {H::kAbsent, R::kWaiting, false, absent}, {A::kForget}},
      {"nothing at all needs nothing",                 {H::kAbsent, kNone, false, absent}, {A::kNothing}},
      {"unreachable: pods are not Ready",              {H::kActive, R::kCreated, true, ours, false, false, T::kUnreachable}, {A::kMarkUnreachable}},
      {"unreachable: a new pod waits",                 {H::kActive, kNone, false, absent, false, false, T::kUnreachable}, {A::kWait}},
      {"unreachable: one to be made anew is not Ready", {H::kActive, R::kWaiting, false, absent, false, false, T::kUnreachable}, {A::kMarkUnreachable}},
      {"unreachable: a deletion waits",                {H::kDeleting, R::kCreated, true, gone, false, false, T::kUnreachable}, {A::kWait}},
      {"unreachable: a refused pod still goes",        {H::kDeleting, R::kWaiting, false, absent, false, false, T::kUnreachable}, {A::kRelease}},
      {"unreachable: a record never sent is dropped",  {H::kAbsent, R::kWaiting, false, absent, false, false, T::kUnreachable}, {A::kForget}},
      {"claimed elsewhere: not our word to give",      {H::kActive, R::kCreated, true, ours, false, false, T::kClaimedElsewhere}, {A::kWait}},
      {"leaving: no new pods",                         {H::kActive, kNone, false, absent, false, false, T::kLeaving}, {A::kWait}},
      {"leaving: deletions go on",                     {H::kDeleting, R::kCreated, true, ours, false, false, T::kLeaving}, {A::kDeleteDelegate, true}},
      {"mass loss: nobody is failed",                  {H::kActive, R::kCreated, true, absent, false, false, T::kMassLoss}, {A::kWait}},
      {"mass loss: no orphan is deleted",              {H::kAbsent, R::kCreated, true, ours, false, false, T::kMassLoss}, {A::kWait}},
      {"mass loss: a deletion that was asked for is",  {H::kDeleting, R::kCreated, true, ours, false, false, T::kMassLoss}, {A::kDeleteDelegate, true}},
  };
  // clang-format on
  for (const Row& row : rows) {
    const Plan next = plan(row.in);
    EXPECT_EQ(toString(next.action), std::string(toString(row.wanted.action))) << row.name;
    EXPECT_EQ(next.reflect, row.wanted.reflect) << row.name;
  }
}

TEST(Plan, EveryActionHasItsOwnName) {
  std::set<std::string> names;
  for (int action = 0; action <= static_cast<int>(Action::kForget); ++action) {
    names.insert(toString(static_cast<Action>(action)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Action::kForget) + 1);
  EXPECT_FALSE(names.contains("Unknown"));
}

}  // namespace
}  // namespace vkb::node
