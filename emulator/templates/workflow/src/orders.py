"""What happens to an order, step by step. Each step that is done is never done again."""

from workers import WorkflowEntrypoint

CHARGE = {"retries": {"limit": 5, "delay": "10 seconds", "backoff": "exponential"}}


class OrderWorkflow(WorkflowEntrypoint):
    async def run(self, event, step):
        order = event["payload"]

        @step.do("charge", config=CHARGE)
        async def charge():
            await self.save(order, "charged")
            return {"amount": 12}

        receipt = await charge()
        approval = await step.wait_for_event("approval", "approved", timeout="7 days")
        await step.sleep("pack", "1 day")

        @step.do("ship")
        async def ship():
            await self.save(order, "shipped")
            return {**receipt, "approved_by": approval["payload"]["by"]}

        return await ship()

    async def save(self, order, state):
        """Write the state of an order. A step may be tried again, so this can be repeated."""
        await (
            self.env.DB.prepare("INSERT OR REPLACE INTO orders (id, item, state) VALUES (?, ?, ?)")
            .bind(order["id"], order["item"], state)
            .run()
        )
