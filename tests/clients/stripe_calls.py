"""The official SDK, with nothing changed but its base URL."""

import os

import stripe

client = stripe.StripeClient(
    os.environ["DUMMY"],
    base_addresses={"api": os.environ["BASE_URL"]},
    max_network_retries=0,
)

customer = client.v1.customers.create({"email": "jenny@example.com", "name": "Jenny R."})
assert customer.object == "customer", customer
charge = client.v1.charges.create({"amount": 2000, "currency": "usd", "source": "tok_visa"})
assert charge.object == "charge", charge
seen = client.v1.charges.retrieve(charge.id)
assert seen.id == charge.id, seen
listed = client.v1.customers.list({"limit": 3})
assert listed.data, listed

try:
    client.v1.charges.create({"amount": 2000, "currency": "usd", "colour": "blue"})
except stripe.InvalidRequestError as error:
    assert error.http_status == 400, error
else:
    raise AssertionError("a charge of a colour was accepted")

print("stripe", stripe.VERSION, "customer, charge, list and an error")
